// Compresses /d/input to /d/output with libbz2, a buffer at a time.
#include <stdio.h>

#include "bzlib.h"

void bz_internal_error(int code)
{
    fprintf(stderr, "libbz2: internal error %d\n", code);
}

int main(void)
{
    static char in[5000], out[5000];
    FILE *from = fopen("/d/input", "rb"), *to = fopen("/d/output", "wb");
    bz_stream stream = {0};
    if (from == NULL || to == NULL || BZ2_bzCompressInit(&stream, 9, 0, 0) != BZ_OK)
        return 1;
    for (int result = BZ_RUN_OK; result != BZ_STREAM_END;) {
        if (stream.avail_in == 0) {
            stream.next_in = in;
            stream.avail_in = (unsigned)fread(in, 1, sizeof in, from);
        }
        stream.next_out = out;
        stream.avail_out = sizeof out;
        result = BZ2_bzCompress(&stream, stream.avail_in == 0 ? BZ_FINISH : BZ_RUN);
        if (result < 0)
            return 2;
        fwrite(out, 1, sizeof out - stream.avail_out, to);
    }
    BZ2_bzCompressEnd(&stream);
    return fclose(to) != 0;
}
