/* LD_PRELOAD: makes fsync(2) and fdatasync(2) take as long as on a slow disk, and counts them.
 *
 * SLOW_FSYNC_US       how long one call takes, in microseconds (0: do not wait)
 * SLOW_FSYNC_COUNT    a file of 8 bytes that is mapped and counted up, shared by all processes that name it
 *
 * The file is synced as well, so that a call never takes less than it does. Meant for measuring only.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static uint64_t *count;
static int64_t wait_ns;
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);

__attribute__((constructor)) static void start(void)
{
    const char *us = getenv("SLOW_FSYNC_US"), *path = getenv("SLOW_FSYNC_COUNT");

    wait_ns = us ? 1000 * atoll(us) : 0;
    real_fsync = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    real_fdatasync = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    if (path) {
        int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

        if (file >= 0 && ftruncate(file, sizeof *count) == 0) {
            void *map = mmap(NULL, sizeof *count, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);

            count = map == MAP_FAILED ? NULL : map;
        }
        if (file >= 0)
            close(file);
    }
}

static int64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static int slowly(int (*sync)(int), int file)
{
    int64_t end = now_ns() + wait_ns;
    int result;

    if (count)
        __atomic_add_fetch(count, 1, __ATOMIC_RELAXED);
    result = sync(file);
    if (wait_ns > 0) {
        struct timespec until = {end / 1000000000, end % 1000000000};

        while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) != 0)
            ; /* a signal came: go on waiting, as a disk would */
    }
    return result;
}

int fsync(int file)
{
    return slowly(real_fsync, file);
}

int fdatasync(int file)
{
    return slowly(real_fdatasync, file);
}
