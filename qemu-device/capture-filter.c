/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Filter programs of listeners.
 *
 * The code that checks and interprets them is shared with the Linux driver.
 * Programs come from the guest, so they are never compiled to host code.
 */
#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "capture-device.h"
#include "filter.c"
#include "interpreter.c"

/* Length of the part of a frame that a program can load, or UINT32_MAX. */
static uint32_t find_reach(const CaptureProgram *program)
{
    const struct bsd_insn *in;
    uint32_t reach = 0;
    int i;

    for (i = 0; i < program->count; i++) {
        in = &program->insns[i];

        if (BPF_CLASS(in->code) != BPF_LD && BPF_CLASS(in->code) != BPF_LDX) {
            continue;
        }
        if (BPF_MODE(in->code) == BPF_IND) {
            return UINT32_MAX;
        }
        if (BPF_MODE(in->code) == BPF_ABS || BPF_MODE(in->code) == BPF_MSH) {
            if (in->k > UINT32_MAX - sizeof(uint32_t)) {
                return UINT32_MAX;
            }
            reach = MAX(reach, in->k + vcap_filter_load_size(in->code));
        }
    }
    return reach;
}

bool virtio_capture_program_check(CaptureProgram *program)
{
    if (!program->count) {
        return true;
    }
    if (!vcap_filter_valid(program->insns, program->count)) {
        return false;
    }
    program->reach = find_reach(program);
    g_free(program->decoded);
    program->decoded = g_malloc(vcap_filter_decoded_size(program->count));
    vcap_filter_decode(program->insns, program->count, program->decoded);
    return true;
}

bool virtio_capture_program_set(CaptureProgram *program,
                                const struct virtio_capture_insn *insns,
                                unsigned count)
{
    CaptureProgram new = {
        .count = count,
        .insns = g_new(struct bsd_insn, count),
    };
    unsigned i;

    for (i = 0; i < count; i++) {
        new.insns[i] = (struct bsd_insn) {
            .code = le16_to_cpu(insns[i].code),
            .jt = insns[i].jt,
            .jf = insns[i].jf,
            .k = le32_to_cpu(insns[i].k),
        };
    }
    if (!virtio_capture_program_check(&new)) {
        g_free(new.insns);
        return false;
    }
    virtio_capture_program_clear(program);
    *program = new;
    return true;
}

void virtio_capture_program_clear(CaptureProgram *program)
{
    g_free(program->insns);
    g_free(program->decoded);
    *program = (CaptureProgram) { .count = 0 };
}

COLD void virtio_capture_linearize(VirtIOCapture *s, CaptureFrame *frame)
{
    const struct iovec *iov = frame->more;
    size_t part, done = frame->first_len;

    if (s->linear_size < frame->len) {
        s->linear_size = MAX(frame->len, NET_BUFSIZE);
        s->linear = g_realloc(s->linear, s->linear_size);
    }
    memcpy(s->linear, frame->first, done);
    for (; done < frame->len; done += part) {
        part = MIN(iov->iov_len, frame->len - done);
        memcpy(s->linear + done, iov->iov_base, part);
        iov++;
    }
    frame->first = s->linear;
    frame->first_len = frame->len;
}

void virtio_capture_filter_finalize(VirtIOCapture *s)
{
    unsigned n;

    for (n = 0; n < CAPTURE_LISTENERS; n++) {
        virtio_capture_program_clear(&s->listeners[n].program);
    }
    g_free(s->linear);
}
