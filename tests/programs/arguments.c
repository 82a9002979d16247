/* Arguments and environment, asked for before and after the work. */
#include <stdlib.h>

#include "out.h"

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        out_text(argv[i]);
        out_end();
    }
    const char *colour = getenv("COLOUR");
    out_text(colour != 0 ? colour : "none");
    out_end();
    out_text(getenv("MVVM_SECRET") != 0 ? "leaked" : "hidden");
    out_end();
    return argc + 3;
}
