#include "island/watchdog.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <cstdio>
#include <fstream>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "base/activity.hpp"
#include "base/clock.hpp"
#include "base/host.hpp"

namespace galapagos {
namespace {

/// One line: how often it was written, how long the main thread has taken no step, whether it
/// waits, where the process is, what it does.
struct Heartbeat {
    std::uint64_t beat = 0;
    double still_seconds = 0;
    bool waiting = false;
    std::string host;
    long process = 0;
    std::string activity;
};

constexpr std::size_t heartbeat_bytes = 512;

std::string to_line(const Heartbeat& h) {
    auto line = fmt::format("{} {:.1f} {} {} {} {}", h.beat, h.still_seconds, h.waiting ? 1 : 0,
                            h.host, h.process, h.activity);
    line.resize(heartbeat_bytes - 1, ' ');
    return line + "\n";
}

std::optional<Heartbeat> read_heartbeat(const std::filesystem::path& file) {
    std::ifstream in(file);
    Heartbeat h;
    int waiting = 0;
    if (!(in >> h.beat >> h.still_seconds >> waiting >> h.host >> h.process)) return std::nullopt;
    h.waiting = waiting != 0;
    std::getline(in >> std::ws, h.activity);
    h.activity.erase(h.activity.find_last_not_of(' ') + 1);
    return h;
}

std::filesystem::path heartbeat_file(const std::filesystem::path& folder, int rank) {
    return folder / fmt::format("r{:05}", rank);
}

/// What a watcher knows about another process.
struct Watched {
    Heartbeat last;
    double silent_seconds = 0;  ///< since `last` changed
};

/// Why a process is taken for hung; nothing while it isn't.
std::optional<std::string> trouble_of(const Watched& watched, double limit) {
    if (watched.silent_seconds > limit)
        return fmt::format("its process has not run for {}",
                           format_duration(watched.silent_seconds));
    const double allowed = watched.last.waiting ? 2 * limit : limit;
    if (watched.last.still_seconds > allowed)
        return fmt::format("it has not got on for {}{}",
                           format_duration(watched.last.still_seconds),
                           watched.last.waiting ? ", waiting for others" : "");
    return std::nullopt;
}

}  // namespace

struct Watchdog::Patrol {
    Patrol(int my_rank, int size, std::filesystem::path heartbeats, double limit_seconds,
           std::function<void(const std::string&)> hang_handler)
        : rank(my_rank),
          folder(std::move(heartbeats)),
          limit(limit_seconds),
          on_hang(std::move(hang_handler)) {
        interval = std::clamp(limit / 10, 0.1, 30.0);
        if (rank == 0)
            for (int other = 1; other < size; ++other) others[other] = {};
        else if (rank == 1)
            others[0] = {};
        descriptor =
            ::open(heartbeat_file(folder, rank).c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
        mine.host = host_name();
        mine.process = ::getpid();
        beat(0);  // who stops at once is known by name, too
        thread = std::thread([this] { walk(); });
    }

    ~Patrol() {
        {
            const std::lock_guard guard(mutex);
            over = true;
        }
        wake.notify_all();
        thread.join();
        if (descriptor >= 0) ::close(descriptor);
    }

    void walk() {
        Stopwatch round;
        std::unique_lock lock(mutex);
        while (!wake.wait_for(lock, std::chrono::duration<double>(interval),
                              [this] { return over; })) {
            // A watcher that was itself stopped for a while, or whose reads took long, must not
            // blame the others for that.
            const double passed = std::min(round.seconds(), 2 * interval);
            round.restart();
            beat(passed);
            look(passed);
        }
    }

    void beat(double passed) {
        const auto activity = current_activity();
        const bool still = activity.steps == steps && !activity.idle;
        mine.still_seconds = still ? mine.still_seconds + passed : 0;
        steps = activity.steps;
        ++mine.beat;
        mine.waiting = activity.waiting;
        mine.activity = activity.what;
        const auto line = to_line(mine);
        if (descriptor >= 0 && ::pwrite(descriptor, line.data(), line.size(), 0) < 0)
            return;  // the others will see that this file has stopped changing
    }

    void look(double passed) {
        for (auto& [other, watched] : others) {
            const auto heartbeat = read_heartbeat(heartbeat_file(folder, other));
            const bool changed = heartbeat && heartbeat->beat != watched.last.beat;
            watched.silent_seconds = changed ? 0 : watched.silent_seconds + passed;
            if (heartbeat) watched.last = *heartbeat;
        }
        // Whoever does not run, or gets on no more by itself, is the cause; those who wait for it
        // are not.
        for (const auto& [other, watched] : others)
            if (const auto trouble = trouble_of(watched, limit)) {
                if (is_first()) on_hang(describe(other, watched, *trouble));
                others.clear();  // once
                return;
            }
    }

    /// A watcher that ends its own process to end the job would be taken for hung by the other one
    /// before the launcher has ended all: the first to find a hang is the only one to say so.
    bool is_first() const {
        const int verdict = ::open((folder / "verdict").c_str(), O_WRONLY | O_CREAT | O_EXCL, 0644);
        if (verdict >= 0) ::close(verdict);
        return verdict >= 0 || errno != EEXIST;
    }

    static std::string describe(int other, const Watched& watched, const std::string& trouble) {
        const auto& last = watched.last;
        return fmt::format(
            "rank {} hangs ({}; it was {}; host {}, process {}) the job is ended; the same command "
            "resumes it",
            other, trouble, last.activity.empty() ? "starting" : last.activity,
            last.host.empty() ? "unknown" : last.host, last.process);
    }

    int rank;
    std::filesystem::path folder;
    double limit;
    std::function<void(const std::string&)> on_hang;
    double interval = 1;
    int descriptor = -1;
    Heartbeat mine;
    std::uint64_t steps = 0;
    std::map<int, Watched> others;
    std::mutex mutex;
    std::condition_variable wake;
    bool over = false;
    std::thread thread;
};

void Watchdog::end_the_job(const std::string& message) {
    fmt::print(stderr, "galapagos: {}\n", message);
    std::fflush(stderr);
    // Nothing less makes every launcher end all ranks, the hung one included.
    ::kill(::getpid(), SIGKILL);
}

Watchdog::Watchdog(const Communicator& world, const std::filesystem::path& folder, double limit,
                   std::function<void(const std::string&)> on_hang) {
    if (limit <= 0) return;
    if (world.is_root()) {
        std::error_code ignored;
        std::filesystem::remove_all(folder, ignored);
        std::filesystem::create_directories(folder, ignored);
    }
    world.barrier();
    if (world.size() > 1)
        patrol_ =
            std::make_unique<Patrol>(world.rank(), world.size(), folder, limit, std::move(on_hang));
}

Watchdog::~Watchdog() = default;

}  // namespace galapagos
