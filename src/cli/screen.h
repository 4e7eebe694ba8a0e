#pragma once
// The live screen: a picture that `drover up` keeps up to date on the operator's terminal.

#include <span>
#include <string>

#include "cli/terminal.h"

namespace drover::cli {

// Has the terminal from its construction to its end; one at a time in a process. What stood on the terminal is pushed
// up into its history, every picture is drawn over the one before, and the last one stays when it is over.
//
// Meanwhile keys are not echoed, the cursor is hidden, and Ctrl-Z does nothing: a gateway that is stopped leaves all
// its clients hanging. Ctrl-C is what it always is.
//
// It never waits for the terminal: one that takes nothing (a link that stalls, Ctrl-S) misses pictures.
// Thread: one, but for give_back().
class LiveScreen {
 public:
  // `terminal`: one for which can_draw() holds; it stays open as long as this object lives.
  explicit LiveScreen(int terminal);
  ~LiveScreen();
  LiveScreen(const LiveScreen&) = delete;
  LiveScreen& operator=(const LiveScreen&) = delete;

  // As of now: ask before each picture, and a resize needs no signal.
  Size size() const { return terminal_size(terminal_); }
  // At most as many lines as there are rows, each narrower than the terminal (screen_lines keeps to that). Nothing
  // happens while a shell has the terminal, or after give_back().
  void draw(std::span<const std::string> lines);

  // Leaves the terminal as it was found, if a live screen has it. The destructor and exit() call it; whoever ends the
  // process in another way (`_exit`) must. Any thread, once or more.
  static void give_back();

 private:
  int terminal_;
  int drawing_;  // ours: the same terminal, opened so that writing never waits
};

}  // namespace drover::cli
