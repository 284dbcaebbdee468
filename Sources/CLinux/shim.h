/* What of the C library Swift's Glibc module leaves out, or hides behind _GNU_SOURCE. */
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <malloc.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/auxv.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

/* The most descriptors that one message takes along. */
#define LO_DESCRIPTORS_MAX 8

/* Arms a timer of CLOCK_REALTIME, as far in the future as there is, that is cancelled whenever that clock is set
 * (timerfd_create(2)). Returns -1 and sets errno where it fails. */
static inline int lo_watch_clock(int timer) {
    struct itimerspec never = {.it_value = {.tv_sec = (time_t) (~0UL >> 2)}};
    return timerfd_settime(timer, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never, NULL);
}

/* A timer on CLOCK_REALTIME_ALARM, which wakes a suspended machine at that second (timerfd_create(2)): a descriptor that
 * is closed on exec; closing it takes the alarm back. Returns -1 and sets errno where it fails. */
static inline int lo_wake_timer(long long seconds) {
    int timer = timerfd_create(CLOCK_REALTIME_ALARM, TFD_CLOEXEC | TFD_NONBLOCK);
    if (timer < 0)
        return -1;
    struct itimerspec at = {.it_value = {.tv_sec = seconds}};
    if (timerfd_settime(timer, TFD_TIMER_ABSTIME, &at, NULL) < 0) {
        int error = errno;
        close(timer);
        errno = error;
        return -1;
    }
    return timer;
}

/* pidfd_open(2), which glibc has from 2.36 on only. */
static inline int lo_pidfd_open(pid_t pid) {
    return (int) syscall(SYS_pidfd_open, pid, 0U);
}

/* syncfs(2). */
static inline int lo_syncfs(int fd) {
    return (int) syscall(SYS_syncfs, fd);
}

/* A netlink(7) socket that hears the groups `groups` of `protocol`. Returns -1 and sets errno where it fails. */
static inline int lo_netlink_listener(int protocol, unsigned groups) {
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
    struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = groups};
    if (fd >= 0 && bind(fd, (struct sockaddr *) &address, sizeof address) < 0) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

/* A netlink socket that tells of every change of the routes, rtnetlink(7). */
static inline int lo_watch_routes(void) {
    return lo_netlink_listener(NETLINK_ROUTE, RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE);
}

/* A netlink socket that tells of the kernel's devices coming, going and changing. */
static inline int lo_watch_uevents(void) {
    return lo_netlink_listener(NETLINK_KOBJECT_UEVENT, 1);
}

/* Reads one of those events; 0 for a message that the kernel did not send. Returns -1 and sets errno where there is
 * none. */
static inline ssize_t lo_read_uevent(int fd, void *buffer, size_t size) {
    struct sockaddr_nl sender = {0};
    socklen_t length = sizeof sender;
    ssize_t got = recvfrom(fd, buffer, size, MSG_DONTWAIT, (struct sockaddr *) &sender, &length);
    return got > 0 && sender.nl_pid != 0 ? 0 : got;
}

/* unix(7): the address of a socket in the file system. Returns its length, 0 where the path is too long for one. */
static inline socklen_t lo_unix_address(struct sockaddr_un *address, const char *path) {
    size_t length = strlen(path);
    if (length >= sizeof address->sun_path)
        return 0;
    memset(address, 0, sizeof *address);
    address->sun_family = AF_UNIX;
    memcpy(address->sun_path, path, length);
    return (socklen_t) (offsetof(struct sockaddr_un, sun_path) + length + 1);
}

/* A datagram socket that others reach by `path`, its file made with `mode`. Returns -1 and sets errno where it fails. */
static inline int lo_datagram_inbox(const char *path, mode_t mode) {
    struct sockaddr_un address;
    socklen_t length = lo_unix_address(&address, path);
    if (length == 0) {
        errno = ENAMETOOLONG;
        return -1;
    }
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    /* Before it has a name: at no instant may more people send than `mode` says. */
    if (fd >= 0 && (fchmod(fd, mode) < 0 || bind(fd, (struct sockaddr *) &address, length) < 0)) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

/* A socket of `type` that is connected to the one at `path`; it never waits. Returns -1 and sets errno where it fails. */
static inline int lo_connect(const char *path, int type) {
    struct sockaddr_un address;
    socklen_t length = lo_unix_address(&address, path);
    if (length == 0) {
        errno = ENAMETOOLONG;
        return -1;
    }
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    if (connect(fd, (struct sockaddr *)&address, length) < 0) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

/* Sends one datagram to the socket at `path` without waiting. Returns -1 and sets errno where it fails. */
static inline int lo_send_datagram(const char *path, const void *bytes, size_t count) {
    int fd = lo_connect(path, SOCK_DGRAM);
    if (fd < 0)
        return -1;
    ssize_t sent = send(fd, bytes, count, MSG_NOSIGNAL);
    int error = errno;
    close(fd);
    errno = error;
    return sent < 0 ? -1 : 0;
}

/* Sends one message with descriptors along (unix(7), SCM_RIGHTS). Returns -1 and sets errno where it fails. */
static inline ssize_t lo_send_descriptors(int fd, const void *bytes, size_t size, const int *descriptors, size_t count) {
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(LO_DESCRIPTORS_MAX * sizeof(int))];
    } control;
    if (count > LO_DESCRIPTORS_MAX) {
        errno = EINVAL;
        return -1;
    }
    struct iovec part = {.iov_base = (void *)bytes, .iov_len = size};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (count > 0) {
        memset(&control, 0, sizeof control);
        message.msg_control = &control;
        message.msg_controllen = CMSG_SPACE(count * sizeof(int));
        control.header.cmsg_level = SOL_SOCKET;
        control.header.cmsg_type = SCM_RIGHTS;
        control.header.cmsg_len = CMSG_LEN(count * sizeof(int));
        memcpy(CMSG_DATA(&control.header), descriptors, count * sizeof(int));
    }
    return sendmsg(fd, &message, MSG_NOSIGNAL);
}

/* Receives one such message into `bytes`, and at most LO_DESCRIPTORS_MAX descriptors, closed on exec. Returns its length, 0 at
 * the end; -1 and errno where it fails. A message that does not fit is EMSGSIZE, and its descriptors are closed. */
static inline ssize_t lo_receive_descriptors(int fd, void *bytes, size_t size, int *descriptors, size_t *count) {
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(LO_DESCRIPTORS_MAX * sizeof(int))];
    } control;
    struct iovec part = {.iov_base = bytes, .iov_len = size};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    *count = 0;
    ssize_t got = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
    if (got < 0)
        return -1;
    for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header))
        if (header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS) {
            size_t more = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
            for (size_t i = 0; i < more && *count < LO_DESCRIPTORS_MAX; i++)
                memcpy(&descriptors[(*count)++], CMSG_DATA(header) + i * sizeof(int), sizeof(int));
        }
    if (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) {
        while (*count > 0)
            close(descriptors[--*count]);
        errno = EMSGSIZE;
        return -1;
    }
    return got;
}

/* How long a call on the socket waits at most, each way (SO_RCVTIMEO of socket(7)). */
static inline int lo_limit_waiting(int fd, int seconds) {
    struct timeval limit = {.tv_sec = seconds};
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) < 0)
        return -1;
    return setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

/* The user at the other end of a connected unix(7) socket; -1 where that is not known. */
static inline long lo_peer_user(int fd) {
    struct {
        pid_t pid;
        uid_t uid;
        gid_t gid;
    } peer; /* struct ucred */
    socklen_t size = sizeof peer;
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0 ? -1 : (long)peer.uid;
}

/* Has malloc(3) take blocks of `size` and more from the kernel and give them back when they are freed. By itself glibc
 * learns from the first large block that is freed to keep as much. */
static inline void lo_give_back_blocks(int size) {
    mallopt(M_MMAP_THRESHOLD, size);
}
