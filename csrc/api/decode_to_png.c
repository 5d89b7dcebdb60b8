/* Decodes a file chunk after chunk, as if it came over a network:
 *
 *     decode_to_png ID.rcm FILE.rcd OUT.png|OUT.npy [CHUNKS]
 *
 * An .npy file gets the indices instead, int32 (1, depth, rows, columns): what ID.decoder.onnx calls so; its "chunks" is what the
 * last line says. Exit code 0, or 1 with a line that says why; of a cut file what it holds is written. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "recodec.h"

enum { PIECE = 4096 };

static int fail(const char* what, const char* why) {
    fprintf(stderr, "%s: %s\n", what, why);
    return 1;
}

static void* read_whole(const char* name, size_t* size) {
    FILE* file = fopen(name, "rb");
    char* data = NULL;
    size_t room = 0;
    *size = 0;
    if (file == NULL) return NULL;
    for (;;) {
        char* larger;
        room = 2 * room + PIECE;
        larger = realloc(data, room);
        if (larger == NULL) break;
        data = larger;
        *size += fread(data + *size, 1, room - *size, file);
        if (*size < room) break;
    }
    if (ferror(file) || *size == room) {
        free(data);
        data = NULL;
    }
    fclose(file);
    return data;
}

static int write_npy(FILE* file, const recodec_info* info, const int32_t* indices) {
    const size_t count = (size_t)info->depth * info->rows * info->columns;
    char header[128];
    const int length = snprintf(header, sizeof header, "{'descr': '<i4', 'fortran_order': False, 'shape': (1, %u, %u, %u), }",
                                info->depth, info->rows, info->columns);
    const unsigned char start[10] = {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, 118, 0};
    size_t i;
    int wrong;
    if (length < 0 || length > 117) return 1;
    memset(header + length, ' ', (size_t)(117 - length));
    header[117] = '\n';
    wrong = fwrite(start, 1, sizeof start, file) != sizeof start || fwrite(header, 1, 118, file) != 118;
    for (i = 0; i < count && !wrong; ++i) {
        const uint32_t value = (uint32_t)indices[i];
        const unsigned char bytes[4] = {value & 255, value >> 8 & 255, value >> 16 & 255, value >> 24 & 255};
        wrong = fwrite(bytes, 1, 4, file) != 4;
    }
    return wrong;
}

/* A chunk of a PNG file, or a part of one: bytes that its checksum covers. */
static int put(FILE* file, const unsigned char* data, size_t size, uint32_t* crc) {
    size_t i;
    for (i = 0; i < size; ++i) {
        int bit;
        *crc ^= data[i];
        for (bit = 0; bit < 8; ++bit) *crc = (*crc & 1) ? 0xEDB88320u ^ (*crc >> 1) : *crc >> 1;
    }
    return fwrite(data, 1, size, file) != size;
}

static void big_endian(unsigned char* to, uint32_t value) {
    to[0] = value >> 24 & 255;
    to[1] = value >> 16 & 255;
    to[2] = value >> 8 & 255;
    to[3] = value & 255;
}

static int put_length(FILE* file, uint32_t value) {
    unsigned char bytes[4];
    big_endian(bytes, value);
    return fwrite(bytes, 1, 4, file) != 4;
}

/* Every row as an IDAT chunk of its own, not compressed: whoever wants it small has a library for that. */
static int write_png(FILE* file, const recodec_info* info, const uint8_t* pixels) {
    static const unsigned char signature[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'};
    const size_t row = (size_t)info->width * info->channels;
    unsigned char head[17] = "IHDR", zlib[6] = "IDAT\x78\x01", tail[8] = "IDAT";
    uint32_t crc = ~0u, low = 1, high = 0, y;
    int wrong = fwrite(signature, 1, 8, file) != 8 || put_length(file, 13);
    big_endian(head + 4, info->width);
    big_endian(head + 8, info->height);
    head[12] = 8;
    head[13] = info->channels == 3 ? 2 : 0;
    wrong |= put(file, head, sizeof head, &crc) || put_length(file, ~crc);
    crc = ~0u;
    wrong |= put_length(file, 2) || put(file, zlib, sizeof zlib, &crc) || put_length(file, ~crc);
    for (y = 0; y < info->height && !wrong; ++y) {
        /* Stored blocks hold 65535 bytes at most; a row begins with its filter, 0. */
        size_t at = 0;
        while (at < row + 1 && !wrong) {
            const size_t left = row + 1 - at, count = left < 65535 ? left : 65535, filter = at == 0;
            const int last = y + 1 == info->height && count == left;
            const unsigned char block[10] = {'I', 'D', 'A', 'T', (unsigned char)last, count & 255, count >> 8 & 255,
                                             ~count & 255, ~count >> 8 & 255, 0};
            const uint8_t* from = pixels + y * row + at - !filter;
            size_t i;
            crc = ~0u;
            wrong |= put_length(file, (uint32_t)(5 + count)) || put(file, block, 9 + filter, &crc);
            wrong |= put(file, from, count - filter, &crc) || put_length(file, ~crc);
            if (filter) high = (high + low) % 65521;
            for (i = 0; i < count - filter; ++i) {
                low = (low + from[i]) % 65521;
                high = (high + low) % 65521;
            }
            at += count;
        }
    }
    big_endian(tail + 4, high << 16 | low);
    crc = ~0u;
    wrong |= put_length(file, 4) || put(file, tail, sizeof tail, &crc) || put_length(file, ~crc);
    crc = ~0u;
    return wrong || put_length(file, 0) || put(file, (const unsigned char*)"IEND", 4, &crc) || put_length(file, ~crc);
}

static int write_result(const char* name, recodec_file* decoded, const recodec_info* info) {
    const size_t length = strlen(name), size = (size_t)info->width * info->height * info->channels;
    uint8_t* pixels = NULL;
    int wrong;
    FILE* file;
    if (length < 4 || strcmp(name + length - 4, ".npy") != 0) {
        pixels = malloc(size);
        if (pixels == NULL) return fail(name, "there is not enough memory");
        if (recodec_file_pixels(decoded, pixels, size, 2) != RECODEC_OK) {
            free(pixels);
            return fail(name, "the picture cannot be computed");
        }
    }
    file = fopen(name, "wb");
    if (file == NULL) {
        free(pixels);
        return fail(name, "cannot be opened");
    }
    wrong = pixels == NULL ? write_npy(file, info, recodec_file_indices(decoded)) : write_png(file, info, pixels);
    wrong |= fclose(file) != 0;
    free(pixels);
    if (wrong) {
        remove(name);
        return fail(name, "cannot be written");
    }
    return 0;
}

/* Feeds pieces until `most` chunks are decoded or there is no more. */
static recodec_status decode(recodec_file* file, FILE* source, uint32_t most) {
    unsigned char piece[PIECE];
    size_t total = 0;
    for (;;) {
        recodec_info info;
        const recodec_status status = recodec_file_next(file);
        if (status == RECODEC_OK) {
            recodec_file_info(file, &info);
            printf("chunk %u after %zu bytes: %u x %u pixels\n", info.chunks, total, info.width, info.height);
            if (info.chunks == most) return RECODEC_END;
        } else if (status != RECODEC_MORE) {
            return status;
        } else {
            const size_t got = fread(piece, 1, sizeof piece, source);
            recodec_status fed;
            if (got == 0) return RECODEC_MORE;
            total += got;
            fed = recodec_file_feed(file, piece, got);
            if (fed != RECODEC_OK) return fed;
        }
    }
}

static int run(const recodec_model* model, const char* name, const char* target, uint32_t most) {
    recodec_file* file = NULL;
    recodec_info info;
    recodec_status status;
    int code = 0;
    FILE* source = fopen(name, "rb");
    if (source == NULL) return fail(name, "cannot be opened");
    if (recodec_file_open(model, NULL, &file) != RECODEC_OK) {
        fclose(source);
        return fail(name, "there is not enough memory");
    }
    status = decode(file, source, most);
    if (status != RECODEC_END && status != RECODEC_MORE) {
        code = fail(name, *recodec_file_message(file) != '\0' ? recodec_file_message(file) : "cannot be decoded");
    } else if (status == RECODEC_MORE) {
        code = fail(name, "the file is cut");
    }
    if (recodec_file_indices(file) != NULL && recodec_file_info(file, &info) == RECODEC_OK) {
        code |= write_result(target, file, &info);
        printf("%s: %u chunks\n", target, info.chunks);
    }
    recodec_file_free(file);
    fclose(source);
    return code;
}

int main(int count, char** arguments) {
    char message[256];
    recodec_model* model = NULL;
    size_t size = 0;
    void* data;
    int code;
    if (count != 4 && count != 5) return fail("usage", "decode_to_png ID.rcm FILE.rcd OUT.png|OUT.npy [CHUNKS]");
    data = read_whole(arguments[1], &size);
    if (data == NULL) return fail(arguments[1], "cannot be read");
    code = recodec_model_open(data, size, &model, message, sizeof message);
    free(data);
    if (code != RECODEC_OK) return fail(arguments[1], message);
    code = run(model, arguments[2], arguments[3], count == 5 ? (uint32_t)strtoul(arguments[4], NULL, 10) : 0);
    recodec_model_free(model);
    return code;
}
