/* SPDX-License-Identifier: MIT */
/*
 * Stands in for libFuzzer: runs LLVMFuzzerTestOneInput() once for each file named on the command line (a directory
 * means each file in it), so that the corpora are replayed by any compiler in ./runtests.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned replayed;

static void
replay_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	struct stat st;
	uint8_t *data;
	size_t n;

	if (f == NULL || fstat(fileno(f), &st) == -1) {
		perror(path);
		exit(2);
	}
	/* Exactly as long as the input, so that a sanitizer sees a read past its end. */
	data = malloc((size_t)st.st_size + (st.st_size == 0));
	n = data == NULL ? 0 : fread(data, 1, (size_t)st.st_size, f);
	fclose(f);
	LLVMFuzzerTestOneInput(data, n);
	free(data);
	replayed++;
}

int
main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		DIR *dir = opendir(argv[i]);
		struct dirent *de;
		char path[4096];

		if (dir == NULL) {
			replay_file(argv[i]);
			continue;
		}
		while ((de = readdir(dir)) != NULL) {
			if (de->d_name[0] == '.')
				continue;
			snprintf(path, sizeof(path), "%s/%s", argv[i], de->d_name);
			replay_file(path);
		}
		closedir(dir);
	}
	printf("replayed %u inputs\n", replayed);
	return 0;
}
