#include "png_alpha.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <string>

#include "error.hpp"

namespace recodec {

Bytes png_data(ByteView png, std::uint32_t width, std::uint32_t height) {
    constexpr std::array<std::uint8_t, 8> kSignature = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'};
    constexpr std::size_t kFrame = 12;  // length, type and CRC of a PNG chunk
    const auto fail = [](const char* what) { throw Error(Errc::format, std::string("the alpha channel is ") + what); };
    const auto u32 = [&](std::size_t at) {
        return std::uint32_t{png[at]} << 24 | std::uint32_t{png[at + 1]} << 16 | std::uint32_t{png[at + 2]} << 8 |
               png[at + 3];
    };
    if (png.size() < kSignature.size() || !std::ranges::equal(png.first(kSignature.size()), kSignature)) {
        fail("not a PNG datastream");
    }
    std::size_t at = kSignature.size();
    Bytes data;
    bool has_data = false;
    for (bool first = true;; first = false) {
        if (png.size() - at < kFrame || png.size() - at - kFrame < u32(at)) fail("a PNG datastream that is cut");
        const std::size_t size = u32(at);
        const std::string type(png.begin() + static_cast<std::ptrdiff_t>(at) + 4,
                               png.begin() + static_cast<std::ptrdiff_t>(at) + 8);
        const std::size_t content = at + 8;
        at += kFrame + size;
        if (first) {
            // Width, height, then bit depth, colour type, compression, filter and interlace methods.
            constexpr std::array<std::uint8_t, 5> kGrey = {8, 0, 0, 0, 0};
            if (type != "IHDR" || size != 13) fail("a PNG datastream without its header");
            if (u32(content) != width || u32(content + 4) != height) {
                fail("not of the size of the picture");
            }
            if (!std::ranges::equal(png.subspan(content + 8, kGrey.size()), kGrey)) {
                fail("not an 8-bit grey PNG without interlace");
            }
        } else if (type == "IDAT") {
            has_data = true;
            const ByteView part = png.subspan(content, size);
            data.insert(data.end(), part.begin(), part.end());
        } else if (type == "IEND") {
            if (size != 0 || at != png.size()) fail("followed by bytes that do not belong to it");
            break;
        } else {
            fail("a PNG datastream with other chunks than IHDR, IDAT and IEND");
        }
    }
    if (!has_data) fail("a PNG datastream without image data");
    return data;
}

void unfilter(ByteView scanlines, std::size_t width, std::span<std::uint8_t> out) {
    const std::size_t rows = out.size() / width;
    if (scanlines.size() != rows * (width + 1)) {
        throw Error(Errc::format, "the alpha channel has " + std::to_string(scanlines.size()) + " bytes of rows; " +
                                      std::to_string(rows * (width + 1)) + " are needed");
    }
    for (std::size_t y = 0; y < rows; ++y) {
        const std::uint8_t* in = scanlines.data() + y * (width + 1);
        const std::uint8_t type = *in++;
        if (type > 4) throw Error(Errc::format, "the alpha channel has a row with an unknown PNG filter");
        std::uint8_t* row = out.data() + y * width;
        const std::uint8_t* above = y > 0 ? row - width : nullptr;
        for (std::size_t x = 0; x < width; ++x) {
            const int a = x > 0 ? row[x - 1] : 0;
            const int b = above ? above[x] : 0;
            const int c = above && x > 0 ? above[x - 1] : 0;
            int predicted = 0;
            if (type == 1) predicted = a;
            if (type == 2) predicted = b;
            if (type == 3) predicted = (a + b) / 2;
            if (type == 4) {
                const int to_a = std::abs(b - c), to_b = std::abs(a - c), to_c = std::abs(a + b - 2 * c);
                predicted = to_a <= to_b && to_a <= to_c ? a : to_b <= to_c ? b : c;
            }
            row[x] = static_cast<std::uint8_t>(in[x] + predicted);
        }
    }
}

}  // namespace recodec
