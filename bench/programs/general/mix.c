/* What embedded processors are compared by: a linked list that is searched and sorted, small integer matrices, a
 * state machine that reads numbers, and a CRC over all their results. */
#include <string.h>
#include <stdio.h>

#include "../run.h"

enum { ITEMS = 200, SIDE = 9, TEXT = 400, STATES = 8 };

struct item {
    struct item *next;
    int16_t value, place;
};

static struct item items[ITEMS];
static int16_t left[SIDE][SIDE], right[SIDE][SIDE];
static int32_t product[SIDE][SIDE];
static char text[TEXT + 1];

static uint16_t crc(uint16_t sum, uint32_t value)
{
    for (int bit = 0; bit < 16; bit++, value >>= 1) {
        uint16_t low = (sum ^ value) & 1;
        sum = (uint16_t)(sum >> 1 ^ (low ? 0xa001 : 0));
    }
    return sum;
}

typedef int compare(const struct item *, const struct item *);

static int by_value(const struct item *a, const struct item *b) { return (a->value & 0x3ff) - (b->value & 0x3ff); }
static int by_place(const struct item *a, const struct item *b) { return a->place - b->place; }
static compare *volatile orders[] = {by_value, by_place};

static struct item *merge(struct item *a, struct item *b, compare *order)
{
    struct item head, *tail = &head;
    while (a != NULL && b != NULL) {
        struct item **from = order(a, b) <= 0 ? &a : &b;
        tail->next = *from;
        tail = *from;
        *from = tail->next;
    }
    tail->next = a != NULL ? a : b;
    return head.next;
}

static struct item *sort(struct item *list, compare *order)
{
    if (list == NULL || list->next == NULL) {
        return list;
    }
    struct item *slow = list;
    for (struct item *fast = list->next; fast != NULL && fast->next != NULL; fast = fast->next->next) {
        slow = slow->next;
    }
    struct item *half = slow->next;
    slow->next = NULL;
    return merge(sort(list, order), sort(half, order), order);
}

static struct item *reverse(struct item *list)
{
    struct item *done = NULL;
    while (list != NULL) {
        struct item *next = list->next;
        list->next = done;
        done = list;
        list = next;
    }
    return done;
}

static uint16_t list_part(uint16_t sum, uint32_t seed)
{
    for (int i = 0; i < ITEMS; i++) {
        items[i].value = (int16_t)(seed >> (i & 15) ^ (uint32_t)i * 77);
        items[i].place = (int16_t)i;
        items[i].next = i + 1 < ITEMS ? &items[i + 1] : NULL;
    }
    struct item *list = sort(items, orders[0]);
    for (int wanted = 0; wanted < 24; wanted++) {
        struct item *found = list;
        while (found != NULL && (found->place & 0x1f) != wanted) {
            found = found->next;
        }
        sum = crc(sum, found != NULL ? (uint32_t)found->value : 0);
        list = reverse(list);
    }
    list = sort(list, orders[1]);
    return crc(sum, (uint32_t)list->next->value);
}

static uint16_t matrix_part(uint16_t sum, uint32_t seed)
{
    int32_t total = 0;
    for (int i = 0; i < SIDE; i++) {
        for (int j = 0; j < SIDE; j++) {
            left[i][j] = (int16_t)((seed + (uint32_t)(i * SIDE + j)) % 251);
            right[i][j] = (int16_t)(left[i][j] + (i ^ j));
        }
    }
    for (int i = 0; i < SIDE; i++) {
        for (int j = 0; j < SIDE; j++) {
            product[i][j] = 0;
            for (int k = 0; k < SIDE; k++) {
                product[i][j] += left[i][k] * right[k][j];
            }
        }
    }
    for (int i = 0; i < SIDE; i++) {
        for (int j = 0; j < SIDE; j++) {
            int32_t bits = product[i][j] >> 2 & 0xf;
            total += bits * (product[i][j] >> 5 & 0x7f) > 400 ? 10 : bits;
        }
    }
    return crc(sum, (uint32_t)total);
}

enum state { START, INVALID, SIGN, WHOLE, FRACTION, EXPONENT, EXPONENT_SIGN, SCIENTIFIC };

/* One number up to the comma; the state it ends in. */
static enum state read_number(const char **at, uint32_t *changes)
{
    enum state state = START;
    for (; **at != 0 && **at != ','; ++*at) {
        char c = **at;
        int digit = c >= '0' && c <= '9';
        enum state next = INVALID;
        switch (state) {
        case START: next = digit ? WHOLE : c == '+' || c == '-' ? SIGN : c == '.' ? FRACTION : INVALID; break;
        case SIGN: next = digit ? WHOLE : c == '.' ? FRACTION : INVALID; break;
        case WHOLE: next = digit ? WHOLE : c == '.' ? FRACTION : INVALID; break;
        case FRACTION: next = digit ? FRACTION : c == 'e' || c == 'E' ? EXPONENT : INVALID; break;
        case EXPONENT: next = c == '+' || c == '-' ? EXPONENT_SIGN : INVALID; break;
        case EXPONENT_SIGN: next = digit ? SCIENTIFIC : INVALID; break;
        case SCIENTIFIC: next = digit ? SCIENTIFIC : INVALID; break;
        case INVALID: break;
        }
        changes[state] += next != state;
        state = next;
    }
    *at += **at == ',';
    return state;
}

static uint16_t state_part(uint16_t sum, uint32_t seed)
{
    static const char *const pieces[] = {"5012", "1234", "-874", "+122", "35.54400", ".1234500", "-110.700", "+0.64400",
                                         "5.500e+3", "-.123e-2", "-87e+832", "+0.6e-12", "T0.3e-1F", "-T.T++Tq", "1T3.4e4z", "34.0e-T^"};
    uint32_t ends[STATES] = {0}, changes[STATES] = {0};
    int length = 0;
    for (;;) {
        const char *piece = pieces[(seed >> 3) % 16];
        int size = (int)strlen(piece);
        if (length + size + 1 > TEXT) {
            break;
        }
        memcpy(text + length, piece, (size_t)size);
        text[length + size] = ',';
        length += size + 1;
        seed = seed * 1664525u + 1013904223u;
    }
    text[length] = 0;
    for (int pass = 0; pass < 2; pass++) {
        for (const char *at = text; *at != 0;) {
            ends[read_number(&at, changes)]++;
        }
        for (int i = (int)(seed % 5); i < length; i += 11) {
            text[i] = text[i] == ',' ? ',' : (char)(text[i] ^ (pass == 0 ? 1 : 0));
        }
    }
    for (int i = 0; i < STATES; i++) {
        sum = crc(crc(sum, ends[i]), changes[i]);
    }
    return sum;
}

int main(int argc, char **argv)
{
    int rounds = size_argument(argc, argv, 30000);
    uint16_t sum = 0;
    for (uint32_t round = 0; round < (uint32_t)rounds; round++) {
        uint32_t seed = round * 2246822519u + sum;
        sum = list_part(sum, seed);
        sum = matrix_part(sum, seed);
        sum = state_part(sum, seed);
    }
    printf("%04x\n", sum);
    return 0;
}
