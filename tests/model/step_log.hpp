// What a step of a device pass asks for, call by call: what a GPU that recorded it would do again.
#pragma once

#include <string>
#include <type_traits>
#include <vector>

namespace galapagos::test {

class StepLog {
  public:
    /// A call with everything that it depends on, by value.
    template <typename... Arguments>
    void add(const std::string& call, const Arguments&... arguments) {
        std::string text = call + ":";
        (append(text, arguments), ...);
        calls_.push_back(std::move(text));
    }

    std::size_t size() const { return calls_.size(); }

    /// The first call that is another one in `later`, or nothing.
    std::string difference(const StepLog& later) const {
        if (later.size() != size())
            return std::to_string(later.size()) + " calls, not " + std::to_string(size());
        for (std::size_t i = 0; i < size(); ++i)
            if (later.calls_[i] != calls_[i])
                return "call " + std::to_string(i) + ", " +
                       later.calls_[i].substr(0, later.calls_[i].find(':'));
        return "";
    }

  private:
    /// The bytes of a value but for those between its members.
    template <typename Value>
    static void append(std::string& text, Value value) {
        static_assert(std::is_trivially_copyable_v<Value>);
        __builtin_clear_padding(&value);
        text.append(reinterpret_cast<const char*>(&value), sizeof value);
    }

    std::vector<std::string> calls_;
};

}  // namespace galapagos::test
