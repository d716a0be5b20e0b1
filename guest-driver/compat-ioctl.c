// SPDX-License-Identifier: GPL-2.0
/*
 * Requests of 32-bit programs. An argument with a pointer or a long has another
 * size, so the request has another number; translate both.
 */
#include <linux/compat.h>
#include <linux/uaccess.h>

#include "compat-ioctl.h"
#include "ioctl.h"

struct compat_bpf_program {
	u32 bf_len;
	compat_uptr_t bf_insns;
};

struct compat_bpf_dltlist {
	u32 bfl_len;
	compat_uptr_t bfl_list;
};

struct compat_bpf_zbuf {
	compat_uptr_t bz_bufa;
	compat_uptr_t bz_bufb;
	compat_size_t bz_buflen;
};

union compat_argument {
	struct compat_bpf_program program;
	struct compat_ifreq ifreq;
	struct compat_bpf_dltlist dltlist;
	struct old_timeval32 timeval;
	struct compat_bpf_zbuf zbuf;
	compat_size_t size;
};

/* Convert the program's argument to the driver's, or back. */
typedef void convert(union vcap_argument *arg, union compat_argument *compat);

static void program_in(union vcap_argument *arg, union compat_argument *compat)
{
	arg->program.bf_len = compat->program.bf_len;
	arg->program.bf_insns = (struct bsd_insn __force *)
		compat_ptr(compat->program.bf_insns);
}

static void ifreq_in(union vcap_argument *arg, union compat_argument *compat)
{
	memcpy(arg->ifreq.ifr_name, compat->ifreq.ifr_name, IFNAMSIZ);
}

static void ifreq_out(union vcap_argument *arg, union compat_argument *compat)
{
	memcpy(compat->ifreq.ifr_name, arg->ifreq.ifr_name, IFNAMSIZ);
}

static void dltlist_in(union vcap_argument *arg, union compat_argument *compat)
{
	arg->dltlist.bfl_len = compat->dltlist.bfl_len;
	arg->dltlist.bfl_list = (unsigned int __force *)
		compat_ptr(compat->dltlist.bfl_list);
}

static void dltlist_out(union vcap_argument *arg, union compat_argument *compat)
{
	compat->dltlist.bfl_len = arg->dltlist.bfl_len;
}

static void timeval_in(union vcap_argument *arg, union compat_argument *compat)
{
	arg->timeval.tv_sec = compat->timeval.tv_sec;
	arg->timeval.tv_usec = compat->timeval.tv_usec;
}

static void timeval_out(union vcap_argument *arg, union compat_argument *compat)
{
	compat->timeval.tv_sec = arg->timeval.tv_sec;
	compat->timeval.tv_usec = arg->timeval.tv_usec;
}

static void zbuf_in(union vcap_argument *arg, union compat_argument *compat)
{
	arg->zbuf.bz_bufa = (void __force *)compat_ptr(compat->zbuf.bz_bufa);
	arg->zbuf.bz_bufb = (void __force *)compat_ptr(compat->zbuf.bz_bufb);
	arg->zbuf.bz_buflen = compat->zbuf.bz_buflen;
}

static void zbuf_out(union vcap_argument *arg, union compat_argument *compat)
{
	compat->zbuf.bz_bufa = ptr_to_compat((void __user *)arg->zbuf.bz_bufa);
	compat->zbuf.bz_bufb = ptr_to_compat((void __user *)arg->zbuf.bz_bufb);
	compat->zbuf.bz_buflen = arg->zbuf.bz_buflen;
}

static void size_out(union vcap_argument *arg, union compat_argument *compat)
{
	compat->size = arg->size;
}

static const struct translation {
	unsigned int native;
	unsigned int size;	/* of the 32-bit argument */
	convert *in;
	convert *out;
} translations[] = {
	{ BIOCSETF, sizeof(struct compat_bpf_program), program_in },
	{ BIOCSETFNR, sizeof(struct compat_bpf_program), program_in },
	{ BIOCSETWF, sizeof(struct compat_bpf_program), program_in },
	{ BIOCGETIF, sizeof(struct compat_ifreq), NULL, ifreq_out },
	{ BIOCSETIF, sizeof(struct compat_ifreq), ifreq_in },
	{ BIOCGDLTLIST, sizeof(struct compat_bpf_dltlist), dltlist_in,
	  dltlist_out },
	{ BIOCSRTIMEOUT, sizeof(struct old_timeval32), timeval_in },
	{ BIOCGRTIMEOUT, sizeof(struct old_timeval32), NULL, timeval_out },
	{ BIOCGETZMAX, sizeof(compat_size_t), NULL, size_out },
	{ BIOCROTZBUF, sizeof(struct compat_bpf_zbuf), NULL, zbuf_out },
	{ BIOCSETZBUF, sizeof(struct compat_bpf_zbuf), zbuf_in },
};

/* Return true if @request is the 32-bit number of the request. */
static bool translates(const struct translation *t, unsigned int request)
{
	return request == _IOC(_IOC_DIR(t->native), _IOC_TYPE(t->native),
			       _IOC_NR(t->native), t->size);
}

static int translate(struct vcap_file *file, const struct translation *t,
		     void __user *user)
{
	union compat_argument compat;
	union vcap_argument arg;
	int err;

	memset(&compat, 0, sizeof(compat));
	memset(&arg, 0, sizeof(arg));
	/* BIOCGDLTLIST reads and writes it: keep members that do not change. */
	if ((_IOC_DIR(t->native) & _IOC_WRITE) &&
	    copy_from_user(&compat, user, t->size))
		return -EFAULT;
	if (t->in)
		t->in(&arg, &compat);
	err = vcap_request(file, t->native, &arg);
	if (err || !t->out)
		return err;
	t->out(&arg, &compat);
	return copy_to_user(user, &compat, t->size) ? -EFAULT : 0;
}

/** vcap_compat_ioctl() - vcap_ioctl() for 32-bit programs */
long vcap_compat_ioctl(struct file *filp, unsigned int request,
		       unsigned long user)
{
	struct vcap_file *file = filp->private_data;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(translations); i++)
		if (translates(&translations[i], request))
			return translate(file, &translations[i],
					 compat_ptr(user));
	return vcap_ioctl(filp, request, (unsigned long)compat_ptr(user));
}
