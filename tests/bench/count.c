/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * QEMU TCG plug-in that counts the guest's instructions between two markers.
 *
 * A guest program executes the marker instruction
 *     0f 1f 84 00 ID 'M' 'R' 'K'       nopl 0x4b524dID(%rax,%rax,1)
 * which does nothing. Marker 1 starts a count. Marker 2 ends it and writes a
 * line to the file given by out=. Marker 3 means that a reader has its packet:
 * the latency is the median of the instructions executed since the processor
 * last woke from its idle state. Only the first packet after the wakeup counts:
 * on a busy host more packets arrive meanwhile.
 *
 * With profile=FILE, each marker 2 writes the counts of translation blocks to
 * FILE, one "ADDRESS INSTRUCTIONS" a line, for symbols.
 *
 * Each instruction is counted when it is executed, so that the count is right
 * for a block that a fault ends. A string instruction with a REP prefix counts
 * once, whatever its number of iterations, as in a processor's own counter;
 * QEMU 7.2 calls the plug-in for each iteration. Supports one processor only.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <glib.h>
#include <qemu-plugin.h>

QEMU_PLUGIN_EXPORT int qemu_plugin_version = QEMU_PLUGIN_VERSION;

enum { START = 1, END = 2, READ = 3 };

static const char marker[] = "\x0f\x1f\x84\x00?MRK";

typedef struct Block {
    uint64_t address;
    uint64_t count;
} Block;

/* A string instruction with a REP prefix. */
typedef struct Repeated {
    uint64_t *total;                        /* kernel or user */
    Block *block;
} Repeated;

static uint64_t kernel, user;               /* so far */
static uint64_t kernel_start, user_start;   /* at the last marker 1 */
static uint64_t awake;                      /* kernel + user at the last wake */
static bool is_first;                       /* no marker 3 since the wake */
static uint64_t latencies[4096];            /* from the wake to marker 3 */
static unsigned int reads;                  /* number of latencies */
static FILE *out;
static const char *profile;
static GHashTable *blocks;                  /* Block by address */

static void clear_block(gpointer key, gpointer value, gpointer data)
{
    ((Block *)value)->count = 0;
}

static void write_block(gpointer key, gpointer value, gpointer data)
{
    Block *block = value;

    if (block->count) {
        fprintf(data, "%016" PRIx64 " %" PRIu64 "\n", block->address,
                block->count);
    }
}

static void write_profile(void)
{
    FILE *file = fopen(profile, "w");

    if (!file) {
        perror(profile);
        return;
    }
    g_hash_table_foreach(blocks, write_block, file);
    fclose(file);
}

static int compare(const void *one, const void *other)
{
    uint64_t a = *(const uint64_t *)one, b = *(const uint64_t *)other;

    return (a > b) - (a < b);
}

static uint64_t median_latency(void)
{
    qsort(latencies, reads, sizeof(latencies[0]), compare);
    return reads ? latencies[reads / 2] : 0;
}

static void on_read(void)
{
    if (is_first && reads < G_N_ELEMENTS(latencies)) {
        latencies[reads++] = kernel + user - awake;
    }
    is_first = false;
}

static void on_marker(unsigned int vcpu, void *data)
{
    switch (GPOINTER_TO_INT(data)) {
    case START:
        kernel_start = kernel;
        user_start = user;
        reads = 0;
        if (profile) {
            g_hash_table_foreach(blocks, clear_block, NULL);
        }
        break;
    case END:
        fprintf(out, "%" PRIu64 " %" PRIu64 " %u %" PRIu64 "\n",
                kernel - kernel_start, user - user_start, reads,
                median_latency());
        fflush(out);
        if (profile) {
            write_profile();
        }
        break;
    case READ:
        on_read();
        break;
    }
}

/*
 * Count the first iteration of a string instruction. A call is for a further
 * iteration if no other instruction was executed since the last call.
 */
static void on_round(unsigned int vcpu, void *data)
{
    static const Repeated *last;
    static uint64_t last_count;
    Repeated *repeated = data;

    if (repeated == last && kernel + user == last_count) {
        return;
    }
    ++*repeated->total;
    if (repeated->block) {
        repeated->block->count++;
    }
    last = repeated;
    last_count = kernel + user;
}

/* REP or REPNE, optionally a REX prefix, and MOVS, CMPS, STOS, LODS or SCAS. */
static bool is_repeated(const uint8_t *bytes, size_t size)
{
    size_t i = 1;

    if (size < 2 || (bytes[0] != 0xf3 && bytes[0] != 0xf2)) {
        return false;
    }
    i += bytes[i] >> 4 == 4;
    return i + 1 == size && ((bytes[i] >= 0xa4 && bytes[i] <= 0xa7) ||
                             (bytes[i] >= 0xaa && bytes[i] <= 0xaf));
}

static void count_repeated(struct qemu_plugin_insn *insn, uint64_t *total,
                           Block *block)
{
    Repeated *repeated = g_new(Repeated, 1);

    *repeated = (Repeated) { total, block };
    qemu_plugin_register_vcpu_insn_exec_cb(insn, on_round,
                                           QEMU_PLUGIN_CB_NO_REGS, repeated);
}

static void on_resume(qemu_plugin_id_t id, unsigned int vcpu)
{
    awake = kernel + user;
    is_first = true;
}

static Block *find_block(uint64_t address)
{
    Block *block = g_hash_table_lookup(blocks, &address);

    if (!block) {
        block = g_new0(Block, 1);
        block->address = address;
        g_hash_table_insert(blocks, &block->address, block);
    }
    return block;
}

static void on_translate(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
    uint64_t address = qemu_plugin_tb_vaddr(tb);
    bool is_kernel = address >> 63;
    Block *block = profile ? find_block(address) : NULL;
    size_t i;

    for (i = 0; i < qemu_plugin_tb_n_insns(tb); i++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
        const uint8_t *bytes = qemu_plugin_insn_data(insn);
        size_t size = qemu_plugin_insn_size(insn);
        uint64_t *total = is_kernel ? &kernel : &user;

        if (is_repeated(bytes, size)) {
            count_repeated(insn, total, block);
            continue;
        }
        qemu_plugin_register_vcpu_insn_exec_inline(
            insn, QEMU_PLUGIN_INLINE_ADD_U64, total, 1);
        if (block) {
            qemu_plugin_register_vcpu_insn_exec_inline(
                insn, QEMU_PLUGIN_INLINE_ADD_U64, &block->count, 1);
        }
        if (!is_kernel && size == 8 &&
            !memcmp(bytes, marker, 4) && !memcmp(bytes + 5, marker + 5, 3)) {
            qemu_plugin_register_vcpu_insn_exec_cb(
                insn, on_marker, QEMU_PLUGIN_CB_NO_REGS,
                GINT_TO_POINTER((int)bytes[4]));
        }
    }
}

QEMU_PLUGIN_EXPORT int qemu_plugin_install(qemu_plugin_id_t id,
                                           const qemu_info_t *info,
                                           int argc, char **argv)
{
    int i;

    for (i = 0; i < argc; i++) {
        if (g_str_has_prefix(argv[i], "out=")) {
            out = fopen(argv[i] + strlen("out="), "w");
        } else if (g_str_has_prefix(argv[i], "profile=")) {
            profile = g_strdup(argv[i] + strlen("profile="));
        }
    }
    if (!out) {
        fprintf(stderr, "count.so: needs out=FILE\n");
        return -1;
    }
    blocks = g_hash_table_new(g_int64_hash, g_int64_equal);
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translate);
    qemu_plugin_register_vcpu_resume_cb(id, on_resume);
    return 0;
}
