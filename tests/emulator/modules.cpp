#include "emulator/modules.hpp"

#include <cstring>
#include <map>
#include <memory>

#include "emulator/fault.hpp"

namespace galapagos::emulator {
namespace {

// What lies in the section .nvFatBinSegment, and where it points to. A file of several parts:
// machine code for kinds of GPUs, and PTX.
struct Wrapper {
    std::uint32_t magic, version;
    const std::byte* data;
};
struct FileHeader {
    std::uint32_t magic;
    std::uint16_t version, header_bytes;
    std::uint64_t bytes;
};
struct PartHeader {
    std::uint16_t kind, version;
    std::uint32_t header_bytes;
    std::uint64_t bytes;
};
constexpr std::uint16_t ptx_part = 1;

template <typename T>
T read(const std::byte* at) {
    T value;
    std::memcpy(&value, at, sizeof value);
    return value;
}

struct Module {
    const void* wrapper = nullptr;
    std::map<std::string, std::unique_ptr<PtxKernel>> kernels;  ///< once they have been read
};

struct Kernel {
    Module* module = nullptr;
    std::string name;
    std::unique_ptr<Program> program;  ///< once it has been started
};

std::map<const void*, Kernel>& kernels() {
    static auto* const all = new std::map<const void*, Kernel>;
    return *all;
}

void read_module(Module& module) {
    for (const std::string& text : ptx_of_fat_binary(module.wrapper))
        for (PtxKernel& kernel : parse_ptx(text)) {
            const std::string name = kernel.name;
            module.kernels[name] = std::make_unique<PtxKernel>(std::move(kernel));
        }
}

}  // namespace

std::vector<std::string> ptx_of_fat_binary(const void* wrapper) {
    const auto outer = read<Wrapper>(static_cast<const std::byte*>(wrapper));
    const auto file = read<FileHeader>(outer.data);
    if (outer.magic != 0x466243B1 || file.magic != 0xBA55ED50)
        throw Unsupported("this format of a fat binary");
    std::vector<std::string> texts;
    const std::byte* const end = outer.data + file.header_bytes + file.bytes;
    for (const std::byte* at = outer.data + file.header_bytes; at < end;) {
        const auto part = read<PartHeader>(at);
        if (part.kind == ptx_part) {
            // Padded with zeros at the end.
            const std::string text(reinterpret_cast<const char*>(at + part.header_bytes),
                                   part.bytes);
            texts.emplace_back(text.c_str());
            if (texts.back().find(".version") == std::string::npos)
                throw Unsupported(
                    "compressed PTX (nvcc's option --no-compress leaves it readable)");
        }
        at += part.header_bytes + part.bytes;
    }
    if (texts.empty()) throw Unsupported("a fat binary without PTX");
    return texts;
}

void* add_module(const void* wrapper) { return new Module{wrapper, {}}; }

void add_kernel(void* module, const void* host_function, const std::string& name) {
    kernels()[host_function] = {static_cast<Module*>(module), name, nullptr};
}

const Program& program_of(const void* host_function) {
    const auto found = kernels().find(host_function);
    if (found == kernels().end()) throw Unsupported("a kernel that nobody registered");
    Kernel& kernel = found->second;
    if (kernel.program == nullptr) {
        if (kernel.module->kernels.empty()) read_module(*kernel.module);
        const auto ptx = kernel.module->kernels.find(kernel.name);
        if (ptx == kernel.module->kernels.end())
            throw Unsupported("no PTX of the kernel " + kernel.name);
        kernel.program = std::make_unique<Program>(*ptx->second);
    }
    return *kernel.program;
}

}  // namespace galapagos::emulator
