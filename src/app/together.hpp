// Steps that every rank takes, and errors that are printed once.
#pragma once

#include <functional>
#include <stdexcept>
#include <string>
#include <utility>

#include "comm/communicator.hpp"

namespace galapagos {

/// The exit status of a run that did nothing wrong and can be resumed.
inline constexpr int status_resume_me = 75;

/// An error that some ranks met in a step that all took together. Every rank throws it, rank 0
/// prints it.
class CollectiveError : public std::runtime_error {
  public:
    CollectiveError(const std::string& message, int status)
        : std::runtime_error(message), status_(status) {}
    int status() const { return status_; }

  private:
    int status_;
};

/// Collective. Runs the step on every rank; when it fails on some, every rank throws the lowest
/// one's error, of those that don't follow from another's. The step must not communicate, unless
/// what fails in there fails on all ranks.
void together(const Communicator& world, const std::function<void()>& step);

/// The same, one rank of a node first, then its others: the first does work that the others find
/// done (caches).
void together_once_a_node(const Communicator& world, const std::function<void()>& step);

/// Collective. Runs a step that communicates, and that fails on all ranks alike or on none.
void alike(const std::function<void()>& step);

/// Runs a step in which ranks do different things. An error of one ends the job: the others may
/// wait for it for ever. It must be caught before the objects that ranks destroy together are.
void apart(const Communicator& world, const std::function<void()>& step);

/// Prints the error in flight; returns its exit status.
int report_current_exception();

/// Prints what a user should know and what ends nothing.
void print_warning(const std::string& text);

/// Prints the error in flight and ends all ranks with its exit status.
[[noreturn]] void end_job_of(const Communicator& world);

/// The exit status of the error in flight, and its text: 2 for wrong usage, 75 where the machine
/// failed, else 1.
std::pair<int, std::string> describe_current_exception();

}  // namespace galapagos
