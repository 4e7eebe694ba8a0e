#include "cli/screen.h"

#include <fcntl.h>
#include <termios.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>

#include "base/check.h"

namespace drover::cli {
namespace {

constexpr std::string_view kTake = "\x1b[?25l\x1b[?7l";  // no cursor; what is too wide is cut, not wrapped
constexpr std::string_view kGiveBack = "\x1b[0m\x1b[?7h\x1b[?25h\r\n";  // and below the last picture
constexpr std::string_view kHome = "\x1b[H";
constexpr std::string_view kClearLine = "\x1b[K";
constexpr std::string_view kClearBelow = "\x1b[J";

// What give_back() needs. The process has one operator's terminal, and exit() can reach no object: hence a variable of
// the process. Written by the constructor before `held` says that it counts.
struct HeldTerminal {
  std::atomic<bool> held = false;
  int terminal = -1;
  int drawing = -1;
  bool has_keys = false;
  termios keys{};  // as they were
};
HeldTerminal held_terminal;

// A terminal's descriptor is shared with the shell and with whoever else has it, so it cannot be made non-blocking: it
// is opened anew. Where that is refused (after `su`, say), a stalled terminal makes us wait.
int open_for_drawing(int terminal) {
  char path[64] = "";
  if (::ttyname_r(terminal, path, sizeof path) == 0) {
    const int opened = ::open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (opened >= 0) return opened;
  }
  return ::fcntl(terminal, F_DUPFD_CLOEXEC, 0);
}

// What the terminal does not take is dropped: the next picture is drawn from the top.
void write_now(int descriptor, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(descriptor, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

void quiet_keys(int terminal) {
  HeldTerminal& held = held_terminal;
  held.has_keys = ::tcgetattr(terminal, &held.keys) == 0;
  if (!held.has_keys) return;
  termios quiet = held.keys;
  quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO);
  quiet.c_cc[VSUSP] = _POSIX_VDISABLE;
  ::tcsetattr(terminal, TCSANOW, &quiet);
}

}  // namespace

LiveScreen::LiveScreen(int terminal) : terminal_(terminal), drawing_(open_for_drawing(terminal)) {
  static const int at_exit = std::atexit(&LiveScreen::give_back);
  CHECK(at_exit == 0 && !held_terminal.held);
  quiet_keys(terminal);
  held_terminal.terminal = terminal;
  held_terminal.drawing = drawing_;
  held_terminal.held = true;
  const std::size_t rows = size().rows;
  write_now(drawing_, std::string(kTake) + std::string(rows, '\n'));
}

LiveScreen::~LiveScreen() {
  give_back();
  ::close(drawing_);
}

void LiveScreen::draw(std::span<const std::string> lines) {
  if (!held_terminal.held || in_background(terminal_)) return;
  std::string picture(kHome);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (i > 0) picture += "\r\n";
    picture.append(lines[i]).append(kClearLine);
  }
  picture += kClearBelow;
  write_now(drawing_, picture);
}

void LiveScreen::give_back() {
  if (!held_terminal.held.exchange(false)) return;
  write_now(held_terminal.drawing, kGiveBack);
  // From behind a shell's prompt it would stop us, and the shell has set the keys as it likes them.
  if (!held_terminal.has_keys || in_background(held_terminal.terminal)) return;
  // Keys that were pressed meanwhile were not meant for the shell.
  ::tcsetattr(held_terminal.terminal, TCSAFLUSH, &held_terminal.keys);
}

}  // namespace drover::cli
