#include "model/leader.hpp"

#include <exception>
#include <span>

#include "base/error.hpp"

namespace galapagos {

bool ask_leader(TensorGroup& group, const std::function<bool()>& question) {
    if (group.size() == 1) return !question || question();
    enum : int32_t { no, yes, failed } answer = yes;
    std::exception_ptr failure;
    if (question) {
        try {
            answer = question() ? yes : no;
        } catch (...) {
            failure = std::current_exception();
            answer = failed;
        }
    }
    group.broadcast(std::as_writable_bytes(std::span(&answer, 1)));
    if (failure) std::rethrow_exception(failure);
    if (answer == failed) throw_leader_failed();
    return answer == yes;
}

void throw_leader_failed() {
    throw Error("The evaluation ended", "it failed on rank 0 of the tensor-parallel group");
}

}  // namespace galapagos
