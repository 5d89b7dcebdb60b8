// What of a model decoding needs: identity, order of planes, entropy network, decoder network. docs/export.md has the
// file's layout.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>

#include "../bytes.hpp"
#include "../chunk_coder.hpp"
#include "synthesis.hpp"

namespace recodec {

struct ModelFile {
    std::string id;
    std::array<std::uint8_t, 8> hash{};
    std::uint8_t stride = 16;
    std::shared_ptr<const EmbeddedOrder> order;
    // None for a model whose files use adaptive contexts alone.
    std::shared_ptr<const EmbeddedTables> tables;
    std::shared_ptr<const Synthesis> synthesis;
};

// Throws Error.
ModelFile read_model_file(ByteView data);

}  // namespace recodec
