/* ZooKeeper servers as child processes; see zk_server.h. */
#include "test/lib/zk_server.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define FIRST_PORT 21000 /* below the range that the system gives to outgoing connections */
#define LAST_PORT 31000
#define UP_MS 30000
#define START_TRIES_MAX 3
#define JAR "/usr/share/java/zookeeper.jar"

static const char *const javas[] = {"/usr/bin/java", "/usr/local/bin/java"};

static const char *java_path(void)
{
	for (size_t i = 0; i < sizeof javas / sizeof javas[0]; i++)
		if (access(javas[i], X_OK) == 0)
			return javas[i];
	return NULL;
}

bool zk_server_possible(void)
{
	return java_path() && access(JAR, R_OK) == 0;
}

static struct sockaddr_in loopback(int port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return address;
}

static bool port_is_free(int port)
{
	struct sockaddr_in address = loopback(port);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int on = 1;
	bool free_port;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	free_port = bind(fd, (struct sockaddr *)&address, sizeof address) == 0;
	close(fd);
	return free_port;
}

/* Starts at a place of this process's own, so that programs that run side by side seldom look at the same port. */
static int next_port(void)
{
	static int at;

	if (at == 0)
		at = (int)getpid() * 17 % (LAST_PORT - FIRST_PORT);
	for (int i = 0; i < LAST_PORT - FIRST_PORT; i++) {
		at = (at + 1) % (LAST_PORT - FIRST_PORT);
		if (port_is_free(FIRST_PORT + at))
			return FIRST_PORT + at;
	}
	return -1;
}

static bool write_config(const struct zk_server *server, int i, const int quorum_ports[][2])
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof path, "%s/data%d", server->dir, i);
	mkdir(path, 0700);
	snprintf(path, sizeof path, "%s/data%d/myid", server->dir, i);
	file = fopen(path, "w");
	if (!file)
		return false;
	fprintf(file, "%d\n", i + 1);
	fclose(file);
	snprintf(path, sizeof path, "%s/zoo%d.cfg", server->dir, i);
	file = fopen(path, "w");
	if (!file)
		return false;
	fprintf(file,
		"tickTime=200\ninitLimit=50\nsyncLimit=25\ndataDir=%s/data%d\nclientPort=%d\nclientPortAddress=127.0.0.1\n"
		"admin.enableServer=false\n4lw.commands.whitelist=*\nmaxClientCnxns=0\nminSessionTimeout="
		"400\nmaxSessionTimeout=60000\n",
		server->dir, i, server->ports[i]);
	for (int k = 0; server->n > 1 && k < server->n; k++)
		fprintf(file, "server.%d=127.0.0.1:%d:%d\n", k + 1, quorum_ports[k][0], quorum_ports[k][1]);
	return fclose(file) == 0;
}

static void exec_server(const struct zk_server *server, int i)
{
	char config[128], log[128];
	int fd;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	snprintf(config, sizeof config, "%s/zoo%d.cfg", server->dir, i);
	snprintf(log, sizeof log, "%s/out%d", server->dir, i);
	fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
	if (fd >= 0) {
		dup2(fd, STDOUT_FILENO);
		dup2(fd, STDERR_FILENO);
	}
	for (fd = 3; fd < 1024; fd++)
		close(fd);
	execl(java_path(), "java", "-Xms16m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
	      "-Dzookeeper.forceSync=no", "-Dzookeeper.preAllocSize=64", "-cp", "/usr/share/java/slf4j-simple.jar:" JAR,
	      "org.apache.zookeeper.server.quorum.QuorumPeerMain", config, (char *)NULL);
	_exit(127);
}

static bool spawn(struct zk_server *server, int i)
{
	pid_t pid = fork();

	if (pid == 0)
		exec_server(server, i);
	server->pids[i] = pid > 0 ? pid : 0;
	return pid > 0;
}

/* Sends a four letter word; false without an answer. */
static bool ask(int port, const char *word, char *ret_answer, size_t size)
{
	struct sockaddr_in address = loopback(port);
	struct timeval wait = {1, 0};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	size_t len = 0;
	ssize_t n = -1;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
	if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0 && send(fd, word, strlen(word), MSG_NOSIGNAL) > 0)
		while (len < size - 1 && (n = recv(fd, ret_answer + len, size - 1 - len, 0)) > 0)
			len += (size_t)n;
	ret_answer[len] = '\0';
	close(fd);
	return len > 0;
}

const char *zk_server_mode(const struct zk_server *server, int i)
{
	static char answer[2048];
	char *mode, *end;

	if (!ask(server->ports[i], "srvr", answer, sizeof answer))
		return "";
	mode = strstr(answer, "Mode: ");
	if (!mode)
		return "";
	end = strchr(mode, '\n');
	if (end)
		*end = '\0';
	return mode + strlen("Mode: ");
}

static bool wait_until_up(struct zk_server *server, int i)
{
	for (int ms = 0; ms < UP_MS; ms += 20) {
		if (zk_server_mode(server, i)[0] != '\0')
			return true;
		if (waitpid(server->pids[i], NULL, WNOHANG) != 0) {
			server->pids[i] = 0;
			break;
		}
		poll(NULL, 0, 20);
	}
	fprintf(stderr, "ZooKeeper on port %d does not come up; see %s/out%d\n", server->ports[i], server->dir, i);
	return false;
}

static bool start_once(struct zk_server *server, int n)
{
	int quorum_ports[ZK_TEST_SERVERS_MAX][2];

	memset(server, 0, sizeof *server);
	server->n = n;
	snprintf(server->dir, sizeof server->dir, "/tmp/klamm-zk-XXXXXX");
	if (!mkdtemp(server->dir))
		return false;
	for (int i = 0; i < n; i++) {
		size_t len = strlen(server->connect);

		server->ports[i] = next_port();
		quorum_ports[i][0] = next_port();
		quorum_ports[i][1] = next_port();
		snprintf(server->connect + len, sizeof server->connect - len, "%s127.0.0.1:%d", i ? "," : "", server->ports[i]);
	}
	for (int i = 0; i < n; i++)
		if (!write_config(server, i, (const int(*)[2])quorum_ports) || !spawn(server, i))
			return false;
	for (int i = 0; i < n; i++)
		if (!wait_until_up(server, i))
			return false;
	return true;
}

/* Another program may take a port between the look at it and the server's start: then others are tried. */
bool zk_server_start(struct zk_server *server, int n)
{
	for (int tries = 0; tries < START_TRIES_MAX; tries++) {
		if (start_once(server, n))
			return true;
		zk_server_stop(server);
	}
	return false;
}

void zk_server_kill(struct zk_server *server, int i)
{
	if (server->pids[i] == 0)
		return;
	kill(server->pids[i], SIGKILL);
	waitpid(server->pids[i], NULL, 0);
	server->pids[i] = 0;
}

bool zk_server_restart(struct zk_server *server, int i, bool wait)
{
	return spawn(server, i) && (!wait || wait_until_up(server, i));
}

/* Every thread of it. */
static bool is_stopped(pid_t pid)
{
	char path[64], line[512];
	struct dirent *entry;
	bool stopped = true;
	DIR *dir;

	snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
	dir = opendir(path);
	while (dir && stopped && (entry = readdir(dir)) != NULL) {
		const char *state = NULL;
		FILE *file;

		snprintf(path, sizeof path, "/proc/%d/task/%.16s/stat", (int)pid, entry->d_name);
		file = entry->d_name[0] == '.' ? NULL : fopen(path, "r");
		if (file && fgets(line, sizeof line, file))
			state = strrchr(line, ')');
		if (file)
			fclose(file);
		stopped = !state || state[2] == 'T';
	}
	if (dir)
		closedir(dir);
	return stopped;
}

void zk_server_pause(const struct zk_server *server, int i)
{
	kill(server->pids[i], SIGSTOP);
	for (int ms = 0; ms < 1000 && !is_stopped(server->pids[i]); ms++)
		poll(NULL, 0, 1);
}

void zk_server_resume(const struct zk_server *server, int i)
{
	kill(server->pids[i], SIGCONT);
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *where)
{
	(void)status;
	(void)kind;
	(void)where;
	return remove(path);
}

void zk_server_stop(struct zk_server *server)
{
	for (int i = 0; i < server->n; i++)
		zk_server_kill(server, i);
	if (server->dir[0])
		nftw(server->dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
	server->dir[0] = '\0';
}
