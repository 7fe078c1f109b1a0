/*
 * The floor beneath the guest agent: the least program that can boot a machine, be frozen with it and
 * answer on its wire. It is the machine's first process. One byte in, an answer out, nothing else:
 *
 *   'p'          ping                                           -> 'p'
 *   'e'          run `echo ok`                                  -> what it printed
 *   't' u32 n    run `true` n times, one after another          -> u64 nanoseconds for all
 *   's' u64 n    take n bytes                                   -> 's' when the last was there
 *   'b' u64 n    give n bytes                                   -> n bytes
 *   'k' u64 n    keep n bytes in a file in memory               -> 'k' when the last was written
 *   'f' u64 n    give n bytes of that file                      -> n bytes
 *
 * Numbers are little endian. Built by `luminaguard bench`: cc -static -Os -s floor-agent.c
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char *noEnvironment[] = {NULL};
static char buffer[1 << 15];
static int port;

static void give_up(const char *what) {
  perror(what);
  exit(1); /* the first process must not end: the kernel panics and the machine is gone */
}

static void load_modules(const char *list) {
  FILE *file = fopen(list, "r");
  if (file == NULL) give_up(list);
  for (char line[512]; fgets(line, sizeof line, file) != NULL;) {
    line[strcspn(line, "\n")] = 0;
    int fd = open(line, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || syscall(SYS_finit_module, fd, "", 0) != 0) give_up(line);
    close(fd);
  }
  fclose(file);
}

/* The machine has one port; its driver makes it some time after it was loaded. */
static int open_port(void) {
  for (;;) {
    DIR *dev = opendir("/dev");
    if (dev == NULL) give_up("/dev");
    for (struct dirent *entry; (entry = readdir(dev)) != NULL;) {
      if (strncmp(entry->d_name, "vport", 5) != 0) continue;
      int fd = openat(dirfd(dev), entry->d_name, O_RDWR | O_CLOEXEC);
      if (fd >= 0) return closedir(dev), fd;
    }
    closedir(dev);
    usleep(100);
  }
}

/* While no host is connected a read gives nothing. */
static size_t take(void *bytes, size_t atMost) {
  ssize_t got;
  while ((got = read(port, bytes, atMost)) <= 0) usleep(100);
  return (size_t)got;
}

static void take_all(void *bytes, size_t length) {
  for (size_t at = 0; at < length;) at += take((char *)bytes + at, length - at);
}

static void give(const void *bytes, size_t length) {
  for (size_t at = 0; at < length;) {
    ssize_t gone = write(port, (const char *)bytes + at, length - at);
    if (gone > 0) at += (size_t)gone;
  }
}

static void run(char *const argv[], int out) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  if (out >= 0) posix_spawn_file_actions_adddup2(&actions, out, 1);
  pid_t pid;
  if (posix_spawn(&pid, argv[0], &actions, NULL, argv, noEnvironment) != 0) give_up(argv[0]);
  posix_spawn_file_actions_destroy(&actions);
  if (out >= 0) close(out);
  waitpid(pid, NULL, 0);
}

static void answer_exec(void) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) give_up("pipe");
  run((char *[]){"/bin/echo", "ok", NULL}, ends[1]);
  for (ssize_t got; (got = read(ends[0], buffer, sizeof buffer)) > 0;) give(buffer, (size_t)got);
  close(ends[0]);
}

static uint64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static void answer_times(void) {
  uint32_t times;
  take_all(&times, sizeof times);
  uint64_t start = now();
  while (times-- > 0) run((char *[]){"/bin/true", NULL}, -1);
  uint64_t spent = now() - start;
  give(&spent, sizeof spent);
}

static void move_bytes(char way) {
  uint64_t left;
  take_all(&left, sizeof left);
  while (left > 0) {
    size_t chunk = left < sizeof buffer ? (size_t)left : sizeof buffer;
    if (way == 's') chunk = take(buffer, chunk);
    else give(buffer, chunk);
    left -= chunk;
  }
  if (way == 's') give("s", 1);
}

/* The file is in the machine's first root, which is a tmpfs. */
static void move_file(char way) {
  uint64_t left;
  take_all(&left, sizeof left);
  int file = open("/kept", way == 'k' ? O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC : O_RDONLY | O_CLOEXEC, 0600);
  if (file < 0) give_up("/kept");
  while (left > 0) {
    size_t chunk = left < sizeof buffer ? (size_t)left : sizeof buffer;
    if (way == 'k') chunk = take(buffer, chunk);
    ssize_t moved = way == 'k' ? write(file, buffer, chunk) : read(file, buffer, chunk);
    if (moved != (ssize_t)chunk) give_up("/kept");
    if (way == 'f') give(buffer, chunk);
    left -= chunk;
  }
  close(file);
  if (way == 'k') give("k", 1);
}

int main(void) {
  if (mount("dev", "/dev", "devtmpfs", 0, "") != 0) give_up("devtmpfs");
  load_modules("/modules");
  port = open_port();
  for (char order;;) {
    take(&order, 1);
    if (order == 'p') give("p", 1);
    else if (order == 'e') answer_exec();
    else if (order == 't') answer_times();
    else if (order == 's' || order == 'b') move_bytes(order);
    else if (order == 'k' || order == 'f') move_file(order);
  }
}
