/* Binary trees on the heap: built, counted and freed by recursion. */
#include <stdio.h>
#include <stdlib.h>

#include "../run.h"

struct node {
    struct node *left, *right;
};

static struct node *grow(int depth)
{
    struct node *tree = malloc(sizeof *tree);
    tree->left = depth > 0 ? grow(depth - 1) : 0;
    tree->right = depth > 0 ? grow(depth - 1) : 0;
    return tree;
}

static int size(const struct node *tree) { return tree == 0 ? 0 : 1 + size(tree->left) + size(tree->right); }

static void drop(struct node *tree)
{
    if (tree != 0) {
        drop(tree->left);
        drop(tree->right);
        free(tree);
    }
}

int main(int argc, char **argv)
{
    int rounds = size_argument(argc, argv, 400);
    int64_t total = 0;
    for (int round = 0; round < rounds; round++) {
        struct node *tree = grow(14 + round % 3);
        total += size(tree);
        drop(tree);
    }
    printf("%lld\n", (long long)total);
    return 0;
}
