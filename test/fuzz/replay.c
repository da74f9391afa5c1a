/*-------------------------------------------------------------------------
 * replay.c
 *		Runs a fuzz target over a corpus: an input a line, bytes as \xHH.
 *-------------------------------------------------------------------------
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t
decode(char *line, size_t length)
{
	size_t to = 0;

	for (size_t i = 0; i < length; i++)
	{
		char hex[3] = {0};

		if (line[i] == '\\' && i + 3 < length && line[i + 1] == 'x')
		{
			memcpy(hex, line + i + 2, 2);
			line[to++] = (char) strtol(hex, NULL, 16);
			i += 3;
		}
		else
			line[to++] = line[i];
	}
	return to;
}

int
main(void)
{
	static char line[1024 * 1024];
	int n = 0;

	while (fgets(line, sizeof(line), stdin) != NULL)
	{
		size_t length = decode(line, strcspn(line, "\n"));
		uint8_t *input = malloc(length ? length : 1);

		/* a copy of its own size: reading past its end is found */
		memcpy(input, line, length);
		LLVMFuzzerTestOneInput(input, length);
		free(input);
		n++;
	}
	printf("%d inputs\n", n);
	return n == 0;
}
