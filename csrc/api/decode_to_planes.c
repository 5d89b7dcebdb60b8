/* Decodes a file to the indices that its model's decoder network takes, chunk after chunk, as if it came over a network:
 *
 *     decode_to_planes MODEL.rcm FILE.rcd INDICES.npy [CHUNKS]
 *
 * INDICES.npy is int32, (1, depth, rows, columns): what MODEL's decoder.onnx calls "indices"; its "chunks" is what the last
 * line says. Exit code 0, or 1 with a line that says why; of a cut file what it holds is written. */
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

static int write_npy(const char* name, const recodec_info* info, const int32_t* indices) {
    const size_t count = (size_t)info->depth * info->rows * info->columns;
    char header[128];
    const int length = snprintf(header, sizeof header, "{'descr': '<i4', 'fortran_order': False, 'shape': (1, %u, %u, %u), }",
                                info->depth, info->rows, info->columns);
    const unsigned char start[10] = {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, 118, 0};
    size_t i;
    int wrong;
    FILE* file = fopen(name, "wb");
    if (file == NULL || length < 0 || length > 117) return 1;
    memset(header + length, ' ', (size_t)(117 - length));
    header[117] = '\n';
    wrong = fwrite(start, 1, sizeof start, file) != sizeof start || fwrite(header, 1, 118, file) != 118;
    for (i = 0; i < count && !wrong; ++i) {
        const uint32_t value = (uint32_t)indices[i];
        const unsigned char bytes[4] = {value & 255, value >> 8 & 255, value >> 16 & 255, value >> 24 & 255};
        wrong = fwrite(bytes, 1, 4, file) != 4;
    }
    return fclose(file) != 0 || wrong;
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
        if (write_npy(target, &info, recodec_file_indices(file)) != 0) code = fail(target, "cannot be written");
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
    if (count != 4 && count != 5) return fail("usage", "decode_to_planes MODEL.rcm FILE.rcd INDICES.npy [CHUNKS]");
    data = read_whole(arguments[1], &size);
    if (data == NULL) return fail(arguments[1], "cannot be read");
    code = recodec_model_open(data, size, &model, message, sizeof message);
    free(data);
    if (code != RECODEC_OK) return fail(arguments[1], message);
    code = run(model, arguments[2], arguments[3], count == 5 ? (uint32_t)strtoul(arguments[4], NULL, 10) : 0);
    recodec_model_free(model);
    return code;
}
