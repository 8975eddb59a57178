/* Preloaded into the program by tests: its disk is full, or its fsync fails, as long as there is a file of that
   name in the folder FAULTS. With DIES_AT, the program is killed when it is about to write for the so-manieth time; with FULL_AT,
   the disk is full from then on; with SYNC_FAILS_AT, the so-manieth fsync of a file fails, and no other. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static int is_wanted(const char *fault) {
    const char *folder = getenv("FAULTS");
    char path[4096];
    if (folder == NULL) return 0;
    snprintf(path, sizeof path, "%s/%s", folder, fault);
    return access(path, F_OK) == 0;
}

static int is_full(int descriptor) {
    struct stat status;
    return fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode) && is_wanted("full");
}

/* Counts what is written at a place in a file, as SQLite does. */
static int is_full_after_this(void) {
    static int count;
    const char *last = getenv("DIES_AT"), *full = getenv("FULL_AT");
    ++count;
    if (last != NULL && count == atoi(last)) kill(getpid(), SIGKILL);
    return full != NULL && count >= atoi(full);
}

ssize_t write(int descriptor, const void *bytes, size_t count) {
    ssize_t (*real)(int, const void *, size_t);
    *(void **)&real = dlsym(RTLD_NEXT, "write");
    if (is_full(descriptor)) {
        errno = ENOSPC;
        return -1;
    }
    return real(descriptor, bytes, count);
}

ssize_t pwrite64(int descriptor, const void *bytes, size_t count, off64_t offset) {
    ssize_t (*real)(int, const void *, size_t, off64_t);
    *(void **)&real = dlsym(RTLD_NEXT, "pwrite64");
    if (is_full_after_this() || is_full(descriptor)) {
        errno = ENOSPC;
        return -1;
    }
    return real(descriptor, bytes, count, offset);
}

static int is_sync_that_fails(int descriptor) {
    static int count;
    const char *fails = getenv("SYNC_FAILS_AT");
    struct stat status;
    return fails != NULL && fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode) && ++count == atoi(fails);
}

static int sync_by(const char *name, int descriptor) {
    int (*real)(int);
    *(void **)&real = dlsym(RTLD_NEXT, name);
    /* Microseconds: how long a slower disk would take. */
    const char *delay = getenv("FSYNC_US");
    if (delay != NULL) usleep((useconds_t)atoi(delay));
    if (is_wanted("fsync") || is_sync_that_fails(descriptor)) {
        errno = EIO;
        return -1;
    }
    return real(descriptor);
}

int fsync(int descriptor) { return sync_by("fsync", descriptor); }

int fdatasync(int descriptor) { return sync_by("fdatasync", descriptor); }
