#include "recodec.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>

#include "../error.hpp"
#include "../sizes.hpp"
#include "file_stream.hpp"
#include "model_file.hpp"

struct recodec_model {
    recodec::ModelFile content;
};

struct recodec_file {
    recodec::FileStream stream;
    std::string message;
};

namespace {

using recodec::ByteView;

constexpr recodec::StreamLimits kLimits = {std::uint64_t{1} << 26, std::uint64_t{1} << 32, std::uint64_t{1} << 28};

std::uint64_t or_default(std::uint64_t value, std::uint64_t otherwise) { return value == 0 ? otherwise : value; }

// What `work` returns; the status and message of what it throws.
template <class Work>
recodec_status guarded(std::string& message, const Work& work) noexcept {
    try {
        return work();
    } catch (const recodec::Error& error) {
        // An exception in a handler would end the process.
        try {
            message = error.what();
        } catch (...) {
        }
        return static_cast<recodec_status>(error.code());
    } catch (const std::bad_alloc&) {
        return RECODEC_MEMORY;
    } catch (const std::length_error&) {
        return RECODEC_MEMORY;
    } catch (...) {
        return RECODEC_FORMAT;
    }
}

}  // namespace

extern "C" {

recodec_status recodec_model_open(const void* data, size_t size, recodec_model** model, char* message,
                                  size_t message_size) {
    if (message != nullptr && message_size > 0) *message = '\0';
    if (model == nullptr) return RECODEC_ARGUMENT;
    *model = nullptr;
    if (data == nullptr) return RECODEC_ARGUMENT;
    std::string said;
    const recodec_status status = guarded(said, [&] {
        const ByteView bytes(static_cast<const std::uint8_t*>(data), size);
        *model = new recodec_model{recodec::read_model_file(bytes)};
        return RECODEC_OK;
    });
    if (message != nullptr && message_size > 0) {
        const std::size_t length = std::min(said.size(), message_size - 1);
        std::memcpy(message, said.data(), length);
        message[length] = '\0';
    }
    return status;
}

const char* recodec_model_id(const recodec_model* model) { return model == nullptr ? "" : model->content.id.c_str(); }

void recodec_model_free(recodec_model* model) { delete model; }

recodec_status recodec_file_open(const recodec_model* model, const recodec_limits* limits, recodec_file** file) {
    if (file == nullptr) return RECODEC_ARGUMENT;
    *file = nullptr;
    if (model == nullptr) return RECODEC_ARGUMENT;
    recodec::StreamLimits chosen = kLimits;
    if (limits != nullptr) {
        chosen = {or_default(limits->pixels, kLimits.pixels), or_default(limits->bytes, kLimits.bytes),
                  or_default(limits->file, kLimits.waiting)};
    }
    std::string said;
    return guarded(said, [&] {
        *file = new recodec_file{recodec::FileStream(model->content, chosen), {}};
        return RECODEC_OK;
    });
}

recodec_status recodec_file_feed(recodec_file* file, const void* data, size_t size) {
    if (file == nullptr || (data == nullptr && size > 0)) return RECODEC_ARGUMENT;
    return guarded(file->message, [&] {
        file->stream.feed(ByteView(static_cast<const std::uint8_t*>(data), size));
        return RECODEC_OK;
    });
}

recodec_status recodec_file_next(recodec_file* file) {
    if (file == nullptr) return RECODEC_ARGUMENT;
    return guarded(file->message, [&] {
        switch (file->stream.next()) {
            case recodec::Step::chunk: return RECODEC_OK;
            case recodec::Step::more: return RECODEC_MORE;
            case recodec::Step::end: break;
        }
        return RECODEC_END;
    });
}

recodec_status recodec_file_info(const recodec_file* file, recodec_info* info) {
    if (file == nullptr || info == nullptr) return RECODEC_ARGUMENT;
    const recodec::FileStream& stream = file->stream;
    if (!stream.header()) return RECODEC_MORE;
    *info = {stream.header()->width, stream.header()->height, stream.header()->channels, stream.header()->colour,
             stream.header()->alpha, stream.fields().depth,   stream.rows(),             stream.columns(),
             stream.fields().stride, stream.chunks()};
    return RECODEC_OK;
}

const int32_t* recodec_file_indices(const recodec_file* file) {
    if (file == nullptr || file->stream.chunks() == 0) return nullptr;
    return file->stream.indices().data();
}

recodec_status recodec_file_pixels(recodec_file* file, uint8_t* pixels, size_t size, unsigned threads) {
    if (file == nullptr || pixels == nullptr || file->stream.chunks() == 0) return RECODEC_ARGUMENT;
    return guarded(file->message, [&] {
        if (size != file->stream.bytes(1)) return RECODEC_ARGUMENT;
        file->stream.show({pixels, size}, threads);
        return RECODEC_OK;
    });
}

recodec_status recodec_file_draft(recodec_file* file, uint8_t* pixels, size_t size) {
    if (file == nullptr || pixels == nullptr || file->stream.chunks() == 0) return RECODEC_ARGUMENT;
    return guarded(file->message, [&] {
        if (size != file->stream.bytes(recodec::Synthesis::kDraftStride)) return RECODEC_ARGUMENT;
        file->stream.show_draft({pixels, size});
        return RECODEC_OK;
    });
}

const void* recodec_file_attachment(const recodec_file* file, recodec_attachment which, size_t* size) {
    if (size != nullptr) *size = 0;
    if (file == nullptr || size == nullptr) return nullptr;
    const recodec::Bytes* found = file->stream.attachment(static_cast<recodec::ChunkType>(which));
    if (found == nullptr) return nullptr;
    *size = found->size();
    return found->data();
}

const char* recodec_file_message(const recodec_file* file) { return file == nullptr ? "" : file->message.c_str(); }

void recodec_file_free(recodec_file* file) { delete file; }

}  // extern "C"
