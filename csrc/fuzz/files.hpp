// Files of a corpus.
#pragma once

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

#include "container.hpp"

namespace recodec {

// The files named, and those with the extension at any depth of the directories named, sorted.
inline std::vector<std::filesystem::path> find_files(const std::vector<std::string>& places,
                                                     const char* extension = ".rcd") {
    namespace fs = std::filesystem;
    std::vector<fs::path> found;
    for (const fs::path place : places) {
        if (!fs::is_directory(place)) {
            found.push_back(place);
            continue;
        }
        for (const auto& entry : fs::recursive_directory_iterator(place)) {
            if (entry.is_regular_file() && entry.path().extension() == extension) found.push_back(entry.path());
        }
    }
    std::ranges::sort(found);
    return found;
}

inline Bytes read_file(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) throw std::runtime_error("cannot read " + path.string());
    const Bytes data(std::istreambuf_iterator<char>(file), {});
    // As long as the file and no longer, so that a read past the end is one past the allocation.
    return Bytes(data.begin(), data.end());
}

}  // namespace recodec
