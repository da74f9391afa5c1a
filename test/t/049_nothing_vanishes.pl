# Nothing vanishes, whatever the bytes: for each format, files of random bytes,
# of broken records and of text in several encodings. Every line of a file that
# is not blank is in the lake or in quarantine, and
#
#	rows_read = rows_loaded + rows_duplicate + rows_quarantined
#
# holds for what the run says, for the tables, and after a retry.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('nothing_vanishes');
$node->init;
$node->append_conf('postgresql.conf', "timezone = 'UTC'\nclient_min_messages = error");
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION dmp');

my $seed = $ENV{DMP_SEED} // 4;
srand $seed;
note "DMP_SEED=$seed";

sub pick { return $_[ rand @_ ] }

my @pieces = (
	"\n", "\r\n", "\r", ',', ';', "\t", '|', '"', '""', "'", '\\', '=', '{', '}', '[', ']', ':', ' ', '-', "\0", "\xff", "\xef\xbb\xbf", "\xc3\xa9", "\x81\x5c", '1', 'a', '2024-01-01',
	'{"id": 1, "name": "a"}', '{"id": 2, "items": [{"name": "b"}, 1]}', "id,name\n", "1,a\n", "\"2\",\"b\nc\"\n", "id;name\n", 'id=7 name="x y"', '<34>Oct 11 22:14:15 h su[1]: m',
	'<165>1 2003-10-11T22:14:15.003Z h a - - [x y="1"] m', '127.0.0.1 - u [10/Oct/2000:13:55:36 -0700] "GET / HTTP/1.0" 200 1 "r" "a"');

sub bytes
{
	my $kind = int rand 3;
	return join '', map { chr int rand 256 } 1 .. rand 400 if $kind == 0;
	return join '', map { pick(@pieces) } 1 .. rand 120 if $kind == 1;
	# good records with a byte changed here and there
	my $text = pick('', "id,name\n") . join '', map { my $i = $_; pick("{\"id\": $i, \"name\": \"n$i\"}\n", "$i,n$i\n", "$i;n$i;\n", "id=$i name=n$i\n", "Oct 11 22:14:15 h n$i\[$i]: m\n",
		"h - n$i [10/Oct/2000:13:55:36 -0700] \"GET / HTTP/1.0\" 200 $i\n") } 1 .. 30;
	substr($text, rand length $text, 1) = chr int rand 256 for 1 .. rand 6;
	return $text;
}

my %sources = (
	json => [ 'json', '{"id": "id", "name": "name"}', '{}' ],
	explode => [ 'json', '{"id": "id", "name": "items[].name"}', '{"explode": "items"}' ],
	csv => [ 'csv', 'NULL', '{}' ],
	csv_other => [ 'csv', '{"id": "$1", "name": "$2"}', '{"header": false, "delimiter": ";", "escape": "\\\\", "ragged": "pad", "encoding": "gb18030"}' ],
	csv_lines => [ 'csv', 'NULL', '{"header": true, "quote": "", "encoding": "latin1"}' ],
	weblog => [ 'weblog', '{"id": "bytes", "name": "remote_user"}', '{}' ],
	syslog => [ 'syslog', '{"id": "pid", "name": "program"}', '{"encoding": "sjis"}' ],
	kv => [ 'kv', '{"id": "id", "name": "name"}', '{}' ]);

my $file = $node->data_dir . '/bytes';
my $runs = $ENV{DMP_RUNS} // 25;
for my $name (sort keys %sources)
{
	my ($format, $mapping, $options) = @{ $sources{$name} };
	my (@bad, $loaded, $quarantined) = ();
	$loaded = $quarantined = 0;
	my $map = $mapping eq 'NULL' ? 'NULL' : "'$mapping'";

	for my $run (1 .. $runs)
	{
		my $bytes = bytes();
		open my $out, '>:raw', $file or die "$file: $!";
		print $out $bytes;
		close $out;
		# UTF-16 is refused as a whole
		next if $bytes =~ /^(\xff\xfe|\xfe\xff)/;
		my $result = $node->safe_psql('postgres', qq{
			BEGIN;
			CREATE TABLE t (id int PRIMARY KEY, name text CHECK (name <> 'n7'));
			SELECT FROM dmp.create_source('s', 't', format => '$format', key => '{id}', mapping => $map, options => '$options');
			SELECT rows_read, rows_loaded, rows_duplicate, rows_quarantined, coalesce(fields_ignored ->> '(header lines)', '0'), coalesce(fields_ignored ->> '(records without items)', '0')
			FROM dmp.ingest('s', '$file');
			SELECT count(*) FROM t;
			SELECT count(*), count(*) FILTER (WHERE lake_id IS NULL) FROM dmp.quarantine WHERE source = 's';
			SELECT count(*) FROM lake.s WHERE line ~ '[^ \\t\\r\\n]';
			SELECT coalesce(sum(octet_length(convert_to(line, CASE WHEN '$options' ~ 'latin1' THEN 'LATIN1' ELSE 'UTF8' END))), 0) FROM lake.s;
			SELECT coalesce(sum(record_bytes), 0) FROM dmp.quarantine WHERE source = 's' AND lake_id IS NULL;
			SELECT rows_read = rows_loaded + rows_duplicate + rows_quarantined, rows_read = (SELECT count(*) FROM dmp.quarantine WHERE source = 's' AND record IS NOT NULL AND state <> 'discarded') FROM dmp.retry_quarantine('s');
			ROLLBACK});
		my @line = map { [ split /\|/ ] } grep { /\S/ } split /\n/, $result;
		my ($read, $in, $twice, $out_of, $headers, $empty) = @{ $line[0] };
		my $rows = $line[1][0];
		my ($kept, $raw) = @{ $line[2] };
		my $lake = $line[3][0];
		my $good = $read == $in + $twice + $out_of && $rows == $in && $kept == $out_of && $line[6][0] eq 't' && $line[6][1] eq 't';
		# but for elements of arrays, rows are records of the lake, and those that could not be there
		$good &&= $read - $raw + $headers == $lake if $name ne 'explode';
		# and nothing is in neither but blanks, line ends, and what separates json
		if ($format ne 'json' && $options !~ /gb18030|sjis/ && !($options =~ /latin1/ && $bytes =~ /^\xef\xbb\xbf/))
		{
			(my $rest = $bytes) =~ s/^\xef\xbb\xbf//;
			my $some = $line[4][0] + $line[5][0];
			my $blank = () = $rest =~ /[ \t\r\n]/g;
			$good &&= $some <= length $rest && $some >= length($rest) - $blank;
		}
		push @bad, unpack('H*', $bytes) . " -> $result" unless $good;
		$loaded += $in;
		$quarantined += $out_of;
	}
	is("@bad", '', "$name: $runs files, $loaded rows and $quarantined in quarantine");
	ok($loaded > 0, "$name: some are loaded");
}
$node->stop;
done_testing();
