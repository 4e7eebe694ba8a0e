#pragma once
// A doubly linked list of things that carry their own links: nothing is allocated, and whoever dies unlinks itself.

#include <cstddef>

#include "base/check.h"

namespace drover::net {

class ListLink {
 public:
  ListLink() = default;
  ListLink(const ListLink&) = delete;
  ListLink& operator=(const ListLink&) = delete;
  ~ListLink() { unlink(); }

  bool linked() const { return next_ != this; }
  void unlink() {
    previous_->next_ = next_;
    next_->previous_ = previous_;
    next_ = previous_ = this;
  }

 private:
  template <typename T, ListLink T::* link>
  friend class IntrusiveList;
  ListLink* next_ = this;
  ListLink* previous_ = this;
};

// A list of T by its member `link`. Owns nothing.
template <typename T, ListLink T::* link>
class IntrusiveList {
 public:
  IntrusiveList() = default;
  ~IntrusiveList() { CHECK(empty()); }

  bool empty() const { return !head_.linked(); }

  void push_back(T& item) {
    ListLink& node = item.*link;
    CHECK(!node.linked());
    node.previous_ = head_.previous_;
    node.next_ = &head_;
    head_.previous_->next_ = &node;
    head_.previous_ = &node;
  }

  // The list must not be empty.
  T& front() { return *owner(head_.next_); }
  T& pop_front() {
    T& item = front();
    (item.*link).unlink();
    return item;
  }

  // Moves everything of `other` to the end of this list.
  void splice(IntrusiveList& other) {
    if (other.empty()) return;
    ListLink* first = other.head_.next_;
    ListLink* last = other.head_.previous_;
    other.head_.next_ = other.head_.previous_ = &other.head_;
    first->previous_ = head_.previous_;
    head_.previous_->next_ = first;
    last->next_ = &head_;
    head_.previous_ = last;
  }

  // Calls `visit(T&)` for each item; the visit may unlink that item, no other.
  template <typename Visit>
  void for_each(Visit visit) {
    for (ListLink* node = head_.next_; node != &head_;) {
      ListLink* following = node->next_;
      visit(*owner(node));
      node = following;
    }
  }

 private:
  static T* owner(ListLink* node) {
    // Where `link` lies inside T; T need not be standard layout for the compilers we use.
    alignas(T) static char space[sizeof(T)];
    const auto offset = reinterpret_cast<char*>(&(reinterpret_cast<T*>(space)->*link)) - space;
    return reinterpret_cast<T*>(reinterpret_cast<char*>(node) - offset);
  }

  ListLink head_;
};

}  // namespace drover::net
