/* Decoding without Python: files of models with embedded planes, to pixels, or to the indices from which the decoder
 * network makes them.
 *
 * Bytes are fed as they come and chunks decoded as they are whole, so that a picture gets better while its file
 * arrives. No exception leaves these functions, and no input makes them do more than fail. One file is one thread's
 * at a time; a model may serve many.
 */
#ifndef RECODEC_H
#define RECODEC_H

#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32) && defined(RECODEC_SHARED)
#define RECODEC_API __declspec(dllexport)
#elif defined(__GNUC__)
#define RECODEC_API __attribute__((visibility("default")))
#else
#define RECODEC_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Numbers never change. */
typedef enum recodec_status {
    RECODEC_OK = 0,
    RECODEC_FORMAT = 1,      /* not a valid file */
    RECODEC_TRUNCATED = 2,   /* a model's file ends too early */
    RECODEC_UNSUPPORTED = 3, /* valid, but not for this version or model */
    RECODEC_CHECKSUM = 4,    /* damaged */
    RECODEC_LIMIT = 5,       /* beyond a limit that the caller set */
    RECODEC_MEMORY = 7,      /* there is not enough */
    RECODEC_ARGUMENT = 8,    /* a null pointer, or a call out of turn */
    RECODEC_MORE = 16,       /* no error: more bytes are needed */
    RECODEC_END = 17         /* no error: the file is whole */
} recodec_status;

typedef struct recodec_model recodec_model;
typedef struct recodec_file recodec_file;

/* 0 stands for the default. */
typedef struct recodec_limits {
    uint64_t pixels; /* as coded, sides rounded up to whole positions; 1 << 26 */
    uint64_t bytes;  /* that the decoder takes beside the fed bytes; 1 << 32 */
    uint64_t file;   /* bytes that wait undecoded; 1 << 28 */
} recodec_limits;

typedef struct recodec_info {
    uint32_t width, height; /* of the picture, in pixels */
    uint32_t channels;      /* of colours: 1 or 3 */
    uint32_t colour;        /* 0: sRGB, 1: an ICC profile follows */
    uint32_t alpha;         /* 1: a PNG datastream with the opacity follows */
    uint32_t depth, rows, columns; /* of the indices, of which each position shows stride x stride pixels */
    uint32_t stride;
    uint32_t chunks; /* decoded so far */
} recodec_info;

/* What else a file holds. */
typedef enum recodec_attachment {
    RECODEC_ICC = 2,
    RECODEC_ALPHA = 3,
    RECODEC_EXIF = 4,
    RECODEC_XMP = 5
} recodec_attachment;

/* Reads MODEL.rcm, as `recodec export` writes it; `data` may go afterwards. On failure *model is NULL, and the message,
 * cut to `message_size` bytes with the final 0, says why. `message` may be NULL. */
RECODEC_API recodec_status recodec_model_open(const void* data, size_t size, recodec_model** model, char* message,
                                              size_t message_size);
/* "ID", as files name it. */
RECODEC_API const char* recodec_model_id(const recodec_model* model);
RECODEC_API void recodec_model_free(recodec_model* model);

/* Begins a file of the model, which must stay until the file is freed; `limits` may be NULL. */
RECODEC_API recodec_status recodec_file_open(const recodec_model* model, const recodec_limits* limits,
                                             recodec_file** file);
/* Takes the next bytes; they may go afterwards. */
RECODEC_API recodec_status recodec_file_feed(recodec_file* file, const void* data, size_t size);
/* Decodes up to the end of the next code chunk. RECODEC_OK: indices are better than before. RECODEC_MORE: feed. RECODEC_END:
 * the end mark was met. Anything else is final, and what was decoded before stays. */
RECODEC_API recodec_status recodec_file_next(recodec_file* file);
/* Known once recodec_file_next() has met the header. RECODEC_MORE before. */
RECODEC_API recodec_status recodec_file_info(const recodec_file* file, recodec_info* info);
/* depth x rows x columns indices after the chunks so far, which change with the next; NULL before the first. */
RECODEC_API const int32_t* recodec_file_indices(const recodec_file* file);
/* The picture so far: height x width x channels bytes, row by row, on so many threads. RECODEC_ARGUMENT before the first
 * chunk, and if `size` is another. Indices through `ID.decoder.onnx` are the same, to one level. */
RECODEC_API recodec_status recodec_file_pixels(recodec_file* file, uint8_t* pixels, size_t size, unsigned threads);
/* A rough picture of an eighth of each side, rounded up, of the chunks so far: something to show, enlarged, while
 * recodec_file_pixels() takes its time. Bytes, RECODEC_ARGUMENT as there; this takes a thousandth as long. */
RECODEC_API recodec_status recodec_file_draft(recodec_file* file, uint8_t* pixels, size_t size);
/* The data of an attachment that recodec_file_next() has passed, without its checksum, which is right; NULL if there is none
 * yet. Stays until the file is freed. */
RECODEC_API const void* recodec_file_attachment(const recodec_file* file, recodec_attachment which, size_t* size);
/* About the last failure; "" if there was none. */
RECODEC_API const char* recodec_file_message(const recodec_file* file);
RECODEC_API void recodec_file_free(recodec_file* file);

#ifdef __cplusplus
}
#endif

#endif
