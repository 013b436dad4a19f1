#include "comm/agreement.hpp"

#include <exception>
#include <new>
#include <string>
#include <vector>

#include "base/error.hpp"

namespace galapagos {
namespace {

constexpr char failed = 'f', machine_failed = 'm', peer_failed = 'p';

/// Its kind and text.
std::string describe(const std::exception_ptr& failure) {
    try {
        std::rethrow_exception(failure);
    } catch (const PeerError& error) {
        return peer_failed + std::string(error.what());
    } catch (const MachineError& error) {
        return machine_failed + std::string(error.what());
    } catch (const std::bad_alloc&) {
        return failed + std::string("out of memory");
    } catch (const std::exception& error) {
        return failed + std::string(error.what());
    }
}

/// The first report of what did not follow from another's failure, else the first of all; or
/// nothing.
const std::string& first_cause(const std::vector<std::string>& reports) {
    static const std::string none;
    const std::string* first = &none;
    for (const std::string& report : reports) {
        if (report.empty()) continue;
        if (report.front() != peer_failed) return report;
        if (first->empty()) first = &report;
    }
    return *first;
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
    const std::string mine = failure ? describe(failure) : std::string();
    const auto reports = members.all_gather(mine);
    if (!mine.empty() && mine.front() != peer_failed) std::rethrow_exception(failure);
    const std::string& cause = first_cause(reports);
    if (cause.empty()) return;
    if (cause.front() == failed) throw Error(cause.substr(1));
    throw PeerError(cause.substr(1));
}

}  // namespace galapagos
