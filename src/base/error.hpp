#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

namespace galapagos {

/// A failure that the user reads. The message has three parts: "what failed (why) what to try".
class Error : public std::runtime_error {
  public:
    explicit Error(std::string_view what, std::string_view why = {}, std::string_view hint = {});
};

/// Wrong usage: a bad command line, config, recipe or task. The program ends with status 2.
class UsageError : public Error {
  public:
    using Error::Error;
};

/// A part of the machine failed, and nothing that this process tries afterwards can succeed: a
/// GPU's lost context, a rank that does not answer. Never a property of what was being computed.
class MachineError : public Error {
  public:
    using Error::Error;
};

/// Another rank failed or does not answer: its error is the cause, this one follows from it.
class PeerError : public MachineError {
  public:
    using MachineError::MachineError;
};

}  // namespace galapagos
