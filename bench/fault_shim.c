/* Faults for a process under test, by LD_PRELOAD: kill it at the n-th write, fail that write, or
 * write down every write and sync in their order.
 *
 * What to do stands in a file named by FAULT_SHIM_CONTROL that both sides have mapped, so that the
 * harness can change it while the process runs. Only files whose path begins with `path` count;
 * the database, its WAL and its index do. Nothing of the product knows about this.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { OFF = 0, KILL = 1, FAIL = 2 };
enum { BEFORE = 0, HALF = 1, AFTER = 2 };
enum { OP_WRITE = 1, OP_SYNC = 2, OP_TRUNCATE = 4, OP_TOLD = 8, OP_UNLINK = 16, OP_DIRSYNC = 32 };

/* Kept in step with bench/shim.py. */
struct control {
    int32_t action;
    int32_t how;
    int32_t error;
    int32_t sticky;
    int32_t ops;
    int32_t fired;
    int64_t when;
    int64_t count;
    char path[256];
    char folder[256]; /* of those files: its sync makes their names durable */
    char outside[256]; /* what is written below here, the world has seen */
    char trace[256];  /* empty: no trace */
};

struct record {
    int32_t op;
    int32_t name_bytes;
    int64_t offset;
    int64_t size;
};

static struct control *control;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static ssize_t (*real_pwrite)(int, const void *, size_t, off64_t);
static ssize_t (*real_write)(int, const void *, size_t);
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);
static int (*real_ftruncate)(int, off64_t);
static int (*real_unlink)(const char *);

__attribute__((constructor)) static void begin(void)
{
    real_pwrite = dlsym(RTLD_NEXT, "pwrite64");
    real_write = dlsym(RTLD_NEXT, "write");
    real_fsync = dlsym(RTLD_NEXT, "fsync");
    real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
    real_ftruncate = dlsym(RTLD_NEXT, "ftruncate64");
    real_unlink = dlsym(RTLD_NEXT, "unlink");
    const char *path = getenv("FAULT_SHIM_CONTROL");
    int fd = path == NULL ? -1 : open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return;
    void *mapped = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (mapped != MAP_FAILED)
        control = mapped;
}

static int name_of(int fd, char *out, size_t room)
{
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, out, room - 1);
    out[n < 0 ? 0 : n] = '\0';
    return n > 0;
}

static int begins(const char *name, const char *with)
{
    return with[0] != '\0' && strncmp(name, with, strlen(with)) == 0;
}

static void note(int op, const char *name, const void *data, int64_t size, int64_t offset)
{
    if (control->trace[0] == '\0')
        return;
    pthread_mutex_lock(&lock);
    int fd = open(control->trace, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd >= 0) {
        struct record head = {op, (int32_t)strlen(name), offset, size};
        size_t kept = data == NULL ? 0 : (size_t)size, total = sizeof head + strlen(name) + kept;
        char *all = malloc(total);
        memcpy(all, &head, sizeof head);
        memcpy(all + sizeof head, name, strlen(name));
        if (kept)
            memcpy(all + sizeof head + strlen(name), data, kept);
        if (real_write(fd, all, total) != (ssize_t)total)
            abort(); /* half a trace would prove nothing */
        free(all);
        close(fd);
    }
    pthread_mutex_unlock(&lock);
}

/* 0: go on; 1: die half-way or afterwards; -1: fail, errno is set. */
static int fate(int op)
{
    if (control->action == OFF || !(control->ops & op))
        return 0;
    int64_t n = __atomic_add_fetch(&control->count, 1, __ATOMIC_SEQ_CST);
    int hit = n == control->when || (control->sticky && n > control->when);
    if (!hit)
        return 0;
    __atomic_add_fetch(&control->fired, 1, __ATOMIC_SEQ_CST);
    if (control->action == FAIL) {
        errno = control->error;
        return -1;
    }
    if (control->how == BEFORE)
        kill(getpid(), SIGKILL);
    return 1;
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset)
{
    char name[512];
    if (control == NULL || !name_of(fd, name, sizeof name) || !begins(name, control->path))
        return real_pwrite(fd, data, size, offset);
    int after = fate(OP_WRITE);
    if (after < 0)
        return -1;
    if (after && control->how == HALF) {
        real_pwrite(fd, data, size / 2, offset);
        kill(getpid(), SIGKILL);
    }
    note(OP_WRITE, name, data, (int64_t)size, offset);
    ssize_t done = real_pwrite(fd, data, size, offset);
    if (after)
        kill(getpid(), SIGKILL);
    return done;
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset)
{
    return pwrite64(fd, data, size, offset);
}

ssize_t write(int fd, const void *data, size_t size)
{
    char name[512];
    if (control == NULL || !name_of(fd, name, sizeof name) || !begins(name, control->outside))
        return real_write(fd, data, size);
    note(OP_TOLD, name, data, (int64_t)size, 0);
    return real_write(fd, data, size);
}

static int synced(int fd, int (*real)(int))
{
    char name[512];
    if (control == NULL || !name_of(fd, name, sizeof name))
        return real(fd);
    if (control->folder[0] != '\0' && strcmp(name, control->folder) == 0) {
        int done = real(fd);
        if (done == 0)
            note(OP_DIRSYNC, name, NULL, 0, 0);
        return done;
    }
    if (!begins(name, control->path))
        return real(fd);
    int after = fate(OP_SYNC);
    if (after < 0)
        return -1;
    int done = real(fd);
    if (done == 0)
        note(OP_SYNC, name, NULL, 0, 0);
    if (after)
        kill(getpid(), SIGKILL);
    return done;
}

int fsync(int fd) { return synced(fd, real_fsync); }
int fdatasync(int fd) { return synced(fd, real_fdatasync); }

int ftruncate64(int fd, off64_t size)
{
    char name[512];
    if (control == NULL || !name_of(fd, name, sizeof name) || !begins(name, control->path))
        return real_ftruncate(fd, size);
    int after = fate(OP_TRUNCATE);
    if (after < 0)
        return -1;
    note(OP_TRUNCATE, name, NULL, 0, size);
    int done = real_ftruncate(fd, size);
    if (after)
        kill(getpid(), SIGKILL);
    return done;
}

int ftruncate(int fd, off_t size) { return ftruncate64(fd, size); }

int unlink(const char *name)
{
    if (control != NULL && begins(name, control->path))
        note(OP_UNLINK, name, NULL, 0, 0);
    return real_unlink(name);
}
