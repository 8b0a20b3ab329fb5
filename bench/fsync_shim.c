/* A slower disk, by LD_PRELOAD: every fsync and fdatasync takes FSYNC_SHIM_US microseconds longer
 * (2000 where it is not set). tmpfs and write-back caches make benches look better than a disk
 * that keeps its promises; this brings the wait back, and nothing else.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <time.h>

static int (*real_fsync)(int);
static int (*real_fdatasync)(int);
static struct timespec wait = {0, 2000000};

__attribute__((constructor)) static void begin(void)
{
    real_fsync = dlsym(RTLD_NEXT, "fsync");
    real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
    const char *given = getenv("FSYNC_SHIM_US");
    if (given != NULL) {
        long us = strtol(given, NULL, 10);
        wait.tv_sec = us / 1000000;
        wait.tv_nsec = us % 1000000 * 1000;
    }
}

static void pause_(void)
{
    struct timespec left = wait;
    int kept = errno;
    while (nanosleep(&left, &left) != 0 && errno == EINTR)
        ;
    errno = kept;
}

int fsync(int fd)
{
    pause_();
    return real_fsync(fd);
}

int fdatasync(int fd)
{
    pause_();
    return real_fdatasync(fd);
}
