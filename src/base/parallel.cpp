#include "base/parallel.hpp"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace galapagos {
namespace {

int default_thread_count() {
    if (const char* text = std::getenv("OMP_NUM_THREADS")) {
        if (const int count = std::atoi(text); count > 0) return count;
    }
    cpu_set_t allowed;
    CPU_ZERO(&allowed);
    if (sched_getaffinity(0, sizeof allowed, &allowed) == 0)
        return std::max(1, CPU_COUNT(&allowed));
    return std::max(1u, std::thread::hardware_concurrency());
}

thread_local bool inside_parallel_region = false;

/// Worker threads that sleep until a loop is posted. Chunks are handed out by an atomic counter.
class ThreadPool {
  public:
    explicit ThreadPool(int threads) {
        for (int i = 1; i < threads; ++i) workers_.emplace_back([this] { work(); });
    }
    ~ThreadPool() {
        {
            const std::lock_guard lock(mutex_);
            stopping_ = true;
        }
        posted_.notify_all();
        for (auto& worker : workers_) worker.join();
    }
    int size() const { return static_cast<int>(workers_.size()) + 1; }

    void run(std::int64_t chunks, const std::function<void(std::int64_t)>& chunk) {
        const std::lock_guard one_loop_at_a_time(loop_mutex_);
        {
            const std::lock_guard lock(mutex_);
            chunk_ = &chunk;
            chunks_ = chunks;
            next_ = 0;
            failure_ = nullptr;
            busy_ = static_cast<int>(workers_.size());
            ++generation_;
        }
        posted_.notify_all();
        take_chunks();
        std::unique_lock lock(mutex_);
        finished_.wait(lock, [this] { return busy_ == 0; });
        if (failure_) std::rethrow_exception(failure_);
    }

  private:
    void work() {
        std::uint64_t seen = 0;
        std::unique_lock lock(mutex_);
        while (true) {
            posted_.wait(lock, [&] { return stopping_ || generation_ != seen; });
            if (stopping_) return;
            seen = generation_;
            lock.unlock();
            take_chunks();
            lock.lock();
            if (--busy_ == 0) finished_.notify_one();
        }
    }

    void take_chunks() {
        inside_parallel_region = true;
        for (std::int64_t i = next_++; i < chunks_; i = next_++) {
            try {
                (*chunk_)(i);
            } catch (...) {
                const std::lock_guard lock(mutex_);
                if (!failure_) failure_ = std::current_exception();
                next_ = chunks_;
            }
        }
        inside_parallel_region = false;
    }

    std::vector<std::thread> workers_;
    std::mutex loop_mutex_, mutex_;
    std::condition_variable posted_, finished_;
    const std::function<void(std::int64_t)>* chunk_ = nullptr;
    std::int64_t chunks_ = 0;
    std::atomic<std::int64_t> next_{0};
    std::exception_ptr failure_;
    std::uint64_t generation_ = 0;
    int busy_ = 0;
    bool stopping_ = false;
};

std::mutex pool_mutex;
int requested_threads = 0;
std::unique_ptr<ThreadPool> pool;

ThreadPool& thread_pool() {
    const std::lock_guard lock(pool_mutex);
    if (requested_threads == 0) requested_threads = default_thread_count();
    if (!pool || pool->size() != requested_threads)
        pool = std::make_unique<ThreadPool>(requested_threads);
    return *pool;
}

}  // namespace

int thread_count() {
    const std::lock_guard lock(pool_mutex);
    if (requested_threads == 0) requested_threads = default_thread_count();
    return requested_threads;
}

void set_thread_count(int count) {
    const std::lock_guard lock(pool_mutex);
    requested_threads = std::max(1, count);
}

void parallel_for(std::int64_t begin, std::int64_t end, std::int64_t grain,
                  const std::function<void(std::int64_t, std::int64_t)>& body) {
    if (begin >= end) return;
    grain = std::max<std::int64_t>(1, grain);
    const std::int64_t chunks = (end - begin + grain - 1) / grain;
    const auto chunk = [&](std::int64_t i) {
        body(begin + i * grain, std::min(end, begin + (i + 1) * grain));
    };
    if (chunks == 1 || inside_parallel_region || thread_count() == 1) {
        for (std::int64_t i = 0; i < chunks; ++i) chunk(i);
        return;
    }
    thread_pool().run(chunks, chunk);
}

}  // namespace galapagos
