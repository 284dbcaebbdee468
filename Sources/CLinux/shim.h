/* What of the C library Swift's Glibc module leaves out, or hides behind _GNU_SOURCE. */
#pragma once

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <malloc.h>
#include <sys/auxv.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

/* Arms a timer of CLOCK_REALTIME, as far in the future as there is, that is cancelled whenever that clock is set
 * (timerfd_create(2)). Returns -1 and sets errno where it fails. */
static inline int lo_watch_clock(int timer) {
    struct itimerspec never = {.it_value = {.tv_sec = (time_t) (~0UL >> 2)}};
    return timerfd_settime(timer, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never, NULL);
}

/* pidfd_open(2), which glibc has from 2.36 on only. */
static inline int lo_pidfd_open(pid_t pid) {
    return (int) syscall(SYS_pidfd_open, pid, 0U);
}

/* syncfs(2). */
static inline int lo_syncfs(int fd) {
    return (int) syscall(SYS_syncfs, fd);
}

/* A netlink socket that tells of every change of the routes, rtnetlink(7). Returns -1 and sets errno where it fails. */
static inline int lo_watch_routes(void) {
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
    struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE};
    if (fd >= 0 && bind(fd, (struct sockaddr *) &address, sizeof address) < 0) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

/* A netlink socket that tells of the kernel's devices coming, going and changing. Returns -1 and sets errno where it
 * fails. */
static inline int lo_watch_uevents(void) {
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT);
    struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = 1};
    if (fd >= 0 && bind(fd, (struct sockaddr *) &address, sizeof address) < 0) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

/* Reads one of those events; 0 for a message that the kernel did not send. Returns -1 and sets errno where there is
 * none. */
static inline ssize_t lo_read_uevent(int fd, void *buffer, size_t size) {
    struct sockaddr_nl sender = {0};
    socklen_t length = sizeof sender;
    ssize_t got = recvfrom(fd, buffer, size, MSG_DONTWAIT, (struct sockaddr *) &sender, &length);
    return got > 0 && sender.nl_pid != 0 ? 0 : got;
}
