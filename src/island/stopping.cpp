#include "island/stopping.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>

namespace galapagos {
namespace {

volatile std::sig_atomic_t caught_signal = 0;

void remember_signal(int signal) { caught_signal = signal; }

constexpr int watched_signals[] = {SIGUSR1, SIGTERM, SIGINT};

void mask_watched_signals(int how) {
    sigset_t set;
    ::sigemptyset(&set);
    for (const int signal : watched_signals) ::sigaddset(&set, signal);
    ::pthread_sigmask(how, &set, nullptr);
}

}  // namespace

void hold_stop_signals() { mask_watched_signals(SIG_BLOCK); }
void release_stop_signals() { mask_watched_signals(SIG_UNBLOCK); }

SignalWatch::SignalWatch() {
    struct sigaction action {};
    action.sa_handler = remember_signal;
    action.sa_flags = SA_RESTART;
    for (const int signal : watched_signals) ::sigaction(signal, &action, nullptr);
    release_stop_signals();
}

SignalWatch::~SignalWatch() {
    for (const int signal : watched_signals) std::signal(signal, SIG_DFL);
}

std::optional<std::string> SignalWatch::caught() {
    switch (caught_signal) {
        case 0:
            return std::nullopt;
        case SIGUSR1:
            return "SIGUSR1";
        case SIGTERM:
            return "SIGTERM";
        default:
            return "SIGINT";
    }
}

void SignalWatch::reset() { caught_signal = 0; }

StopWatch::StopWatch(std::filesystem::path stop_file, std::optional<double> job_end)
    : stop_file_(std::move(stop_file)), job_end_(job_end) {}

std::optional<std::string> StopWatch::reason(double unit_seconds) {
    if (const auto signal = SignalWatch::caught()) return "signal " + *signal;
    const double now = unix_time();
    if (now >= next_look_) {
        next_look_ = now + 1;
        std::error_code ignored;
        file_seen_ = std::filesystem::exists(stop_file_, ignored);
    }
    if (file_seen_) return fmt::format("the file {}", stop_file_.string());
    // Besides the work, leave time to write a checkpoint and end the processes.
    constexpr double margin_seconds = 20;
    if (job_end_ && *job_end_ - now < 2 * unit_seconds + margin_seconds)
        return fmt::format("{} left until the job's end",
                           format_duration(std::max(0.0, *job_end_ - now)));
    return std::nullopt;
}

std::optional<double> job_end_from_environment() {
    const char* text = std::getenv("SLURM_JOB_END_TIME");
    if (text == nullptr) return std::nullopt;
    const double seconds = std::atof(text);
    return seconds > 0 ? std::optional(seconds) : std::nullopt;
}

}  // namespace galapagos
