#include "comm/agreement.hpp"

#include <exception>
#include <new>
#include <string>

#include "base/error.hpp"

namespace galapagos {
namespace {

constexpr char failed = 'f', machine_failed = 'm';

/// Its kind and text.
std::string describe(const std::exception_ptr& failure) {
    try {
        std::rethrow_exception(failure);
    } catch (const MachineError& error) {
        return machine_failed + std::string(error.what());
    } catch (const std::bad_alloc&) {
        return failed + std::string("out of memory");
    } catch (const std::exception& error) {
        return failed + std::string(error.what());
    }
}

}  // namespace

void agree(const Communicator& members, const std::function<void()>& step) {
    if (members.size() == 1) return step();
    std::exception_ptr failure;
    try {
        step();
    } catch (const std::exception&) {
        failure = std::current_exception();
    }
    const auto reports = members.all_gather(failure ? describe(failure) : std::string());
    if (failure) std::rethrow_exception(failure);
    for (const std::string& report : reports) {
        if (report.empty()) continue;
        if (report.front() == machine_failed) throw MachineError(report.substr(1));
        throw Error(report.substr(1));
    }
}

}  // namespace galapagos
