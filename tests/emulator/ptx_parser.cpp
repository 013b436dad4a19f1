#include "emulator/ptx_parser.hpp"

#include <algorithm>
#include <cctype>

#include "emulator/fault.hpp"

namespace galapagos::emulator {
namespace {

bool blank(char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; }

std::string trimmed(std::string_view text) {
    while (!text.empty() && blank(text.front())) text.remove_prefix(1);
    while (!text.empty() && blank(text.back())) text.remove_suffix(1);
    return std::string(text);
}

/// Comments become blanks, lines stay lines.
std::string without_comments(std::string_view text) {
    std::string result(text);
    for (std::size_t at = 0; at + 1 < result.size(); ++at) {
        if (result[at] != '/') continue;
        if (result[at + 1] == '/') {
            while (at < result.size() && result[at] != '\n') result[at++] = ' ';
        } else if (result[at + 1] == '*') {
            const std::size_t end = result.find("*/", at + 2);
            for (; at < std::min(end + 2, result.size()); ++at)
                if (result[at] != '\n') result[at] = ' ';
        }
    }
    return result;
}

std::vector<std::string> split(std::string_view text) {
    std::vector<std::string> words;
    std::size_t at = 0;
    while (at < text.size()) {
        while (at < text.size() && blank(text[at])) ++at;
        const std::size_t begin = at;
        while (at < text.size() && !blank(text[at])) ++at;
        if (at > begin) words.emplace_back(text.substr(begin, at - begin));
    }
    return words;
}

/// At the commas that are in no brackets.
std::vector<std::string> split_operands(std::string_view text) {
    std::vector<std::string> operands;
    std::size_t begin = 0;
    int depth = 0;
    for (std::size_t at = 0; at <= text.size(); ++at) {
        const char c = at < text.size() ? text[at] : ',';
        if (c == '{' || c == '[') ++depth;
        if (c == '}' || c == ']') --depth;
        if (c != ',' || (depth > 0 && at < text.size())) continue;
        if (std::string one = trimmed(text.substr(begin, at - begin)); !one.empty())
            operands.push_back(std::move(one));
        begin = at + 1;
    }
    return operands;
}

std::size_t bytes_of(const std::string& type) {
    const std::string bits = type.substr(type.find_first_of("0123456789"));
    return static_cast<std::size_t>(std::stoi(bits)) / 8;
}

/// ".param .align 8 .b8 name[56]" and the like.
PtxVariable variable_of(const std::string& declaration) {
    PtxVariable variable;
    std::vector<std::string> words = split(declaration);
    std::size_t element = 1;
    bool aligned = false;
    for (std::size_t i = 0; i + 1 < words.size(); ++i) {
        if (words[i] == ".align") {
            variable.alignment = static_cast<std::size_t>(std::stoi(words[++i]));
            aligned = true;
        } else if (words[i].find_first_of("0123456789") != std::string::npos) {
            element = bytes_of(words[i]);
        }
    }
    if (!aligned) variable.alignment = element;
    const std::string& name = words.back();
    const std::size_t bracket = name.find('[');
    variable.name = name.substr(0, bracket);
    const std::size_t count = bracket == std::string::npos || name[bracket + 1] == ']'
                                  ? (bracket == std::string::npos ? 1 : 0)
                                  : static_cast<std::size_t>(std::stoull(name.substr(bracket + 1)));
    variable.bytes = element * count;
    return variable;
}

class Parser {
  public:
    explicit Parser(std::string_view text) : text_(without_comments(text)) {}

    std::vector<PtxKernel> kernels() {
        std::vector<PtxKernel> result;
        for (std::string word = next_word(); !word.empty(); word = next_word()) {
            if (word == ".entry")
                result.push_back(kernel());
            else if (word == ".extern")
                dynamic_shared_ = variable_of(take_until(";")).name;
            else if (word == ".version" || word == ".target" || word == ".address_size")
                next_word();
            else if (word != ".visible" && word != ".weak")
                throw Unsupported("module-level PTX '" + word + "'");
        }
        return result;
    }

  private:
    std::string next_word() {
        while (at_ < text_.size() && blank(text_[at_])) ++at_;
        const std::size_t begin = at_;
        while (at_ < text_.size() && !blank(text_[at_]) && text_[at_] != '(') ++at_;
        return text_.substr(begin, at_ - begin);
    }
    /// What comes before one of `ends`, which is passed over.
    std::string take_until(const char* ends) {
        const std::size_t end = std::min(text_.find_first_of(ends, at_), text_.size());
        const std::string result = text_.substr(at_, end - at_);
        at_ = std::min(end + 1, text_.size());
        return result;
    }

    PtxKernel kernel() {
        PtxKernel made;
        made.dynamic_shared = dynamic_shared_;
        made.name = next_word();
        take_until("(");
        for (const std::string& one : split_operands(take_until(")")))
            made.parameters.push_back(variable_of(one));
        limits(take_until("{"), made);
        body(made);
        return made;
    }

    static void limits(const std::string& text, PtxKernel& made) {
        const std::size_t at = text.find(".maxntid");
        if (at == std::string::npos) return;
        made.most_threads = 1;
        for (const std::string& one :
             split_operands(text.substr(at + 8, text.find('\n', at) - at - 8)))
            made.most_threads *= static_cast<std::size_t>(std::stoi(one));
    }

    void body(PtxKernel& made) {
        std::vector<std::map<std::string, std::string>> scopes(1);
        while (!scopes.empty()) {
            while (blank(text_.at(at_))) ++at_;
            if (text_[at_] == '{') {
                scopes.emplace_back();
                ++at_;
            } else if (text_[at_] == '}') {
                scopes.pop_back();
                ++at_;
            } else if (!label(made)) {
                const int line = line_of(at_);
                add(made, trimmed(take_until(";")), line, scopes);
            }
        }
    }

    bool label(PtxKernel& made) {
        std::size_t end = at_;
        while (std::isalnum(static_cast<unsigned char>(text_[end])) || text_[end] == '_' ||
               text_[end] == '$')
            ++end;
        if (end == at_ || text_[end] != ':') return false;
        made.labels[text_.substr(at_, end - at_)] = made.statements.size();
        at_ = end + 1;
        return true;
    }

    using Scopes = std::vector<std::map<std::string, std::string>>;
    void add(PtxKernel& made, const std::string& text, int line, Scopes& scopes) {
        if (text.rfind(".reg", 0) == 0) return declare(made, text, scopes);
        if (text.rfind(".shared", 0) == 0) {
            made.shared.push_back(variable_of(text));
            return;
        }
        if (text.rfind(".pragma", 0) == 0) return;
        if (text.front() == '.') throw Unsupported("PTX directive '" + text + "'");
        made.statements.push_back(statement(text, line, scopes));
    }

    /// ".reg .b32 %r<100>" or ".reg .b16 low, high", the latter renamed in an inner scope.
    void declare(PtxKernel& made, const std::string& text, Scopes& scopes) {
        const std::vector<std::string> words = split(text);
        const std::string rest = trimmed(text.substr(text.find(words[1]) + words[1].size()));
        for (const std::string& name : split_operands(rest)) {
            const std::size_t bracket = name.find('<');
            if (bracket != std::string::npos) {
                made.registers[name.substr(0, bracket)] = words[1];
            } else {
                const std::string renamed =
                    scopes.size() > 1 ? name + "@" + std::to_string(++renamed_) + "_" : name;
                scopes.back()[name] = renamed;
                made.registers[renamed] = words[1];
            }
        }
    }

    PtxStatement statement(const std::string& text, int line, const Scopes& scopes) {
        PtxStatement made;
        made.line = line;
        std::string_view rest = text;
        if (rest.front() == '@') {
            const std::size_t end = rest.find_first_of(" \t\n");
            made.guard_negated = rest[1] == '!';
            const std::size_t begin = made.guard_negated ? 2 : 1;
            made.guard = renamed(std::string(rest.substr(begin, end - begin)), scopes);
            rest.remove_prefix(end);
            while (blank(rest.front())) rest.remove_prefix(1);
        }
        const std::size_t end = std::min(rest.find_first_of(" \t\n"), rest.size());
        made.opcode = rest.substr(0, end);
        made.operands = split_operands(rest.substr(end));
        for (std::string& one : made.operands) one = renamed(one, scopes);
        return made;
    }

    /// Names that inner scopes declare, put in place of what is written.
    static std::string renamed(std::string operand, const Scopes& scopes) {
        for (std::size_t depth = scopes.size(); depth-- > 0;)
            for (const auto& [name, other] : scopes[depth])
                if (operand == name) return other;
        return operand;
    }

    int line_of(std::size_t at) {
        lines_ +=
            static_cast<int>(std::count(text_.begin() + static_cast<std::ptrdiff_t>(counted_),
                                        text_.begin() + static_cast<std::ptrdiff_t>(at), '\n'));
        counted_ = at;
        return lines_ + 1;
    }

    std::string text_;
    std::size_t at_ = 0, counted_ = 0;
    int lines_ = 0, renamed_ = 0;
    std::string dynamic_shared_;
};

}  // namespace

std::string PtxStatement::text() const {
    std::string result = opcode;
    for (const std::string& one : operands) result += (&one == operands.data() ? " " : ", ") + one;
    if (!guard.empty()) result = (guard_negated ? "@!" : "@") + guard + " " + result;
    return result;
}

const std::string& PtxKernel::type_of(const std::string& name) const {
    auto found = registers.find(name);
    if (found == registers.end())
        found = registers.find(name.substr(0, name.find_last_not_of("0123456789") + 1));
    if (found == registers.end()) throw Unsupported("operand '" + name + "' is no register");
    return found->second;
}

std::vector<PtxKernel> parse_ptx(std::string_view text) { return Parser(text).kernels(); }

}  // namespace galapagos::emulator
