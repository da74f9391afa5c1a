# A real shop's year, from its gz to a clean table by a recipe: every row kept or
# rejected for a reason, every changed cell explained, sums as counted here by
# other means.
#
# The data are no part of the project. DMP_DATA names the folder that holds
# online_retail/online_retail.csv.gz; without it the test is skipped.
use strict;
use warnings;
use File::Spec;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $gz = File::Spec->rel2abs(($ENV{DMP_DATA} // '../shared/data') . '/online_retail/online_retail.csv.gz');
plan skip_all => "no $gz" unless -r $gz;
plan skip_all => 'no gzip' if system('gzip --version >/dev/null 2>&1') != 0;

my $node = PostgreSQL::Test::Cluster->new('retail');
$node->init;
$node->append_conf('postgresql.conf', "jit = off\nmax_wal_size = '2GB'\n");
$node->start;

sub sql { return $node->safe_psql('postgres', $_[0]) }

# the truth, row by row
my $csv = File::Spec->rel2abs($node->basedir) . '/retail.csv';
system("gzip -dc '$gz' >'$csv'") == 0 or die "gzip: $?";
open my $file, '<', $csv or die "$csv: $!";
my %truth = map { $_ => 0 } qw(rows trimmed noise missing duplicate unpaid kept renamed cancelled amount);
my %renamed = (EIRE => 'Ireland', RSA => 'South Africa', USA => 'United States');
my %noise = map { $_ => 1 } ('', '?', '??', '???', 'missing', 'check', 'damages');
my %seen;
<$file>;
while (my $line = <$file>)
{
	chomp $line;
	my @field;
	push @field, $1 // $2 // '' while $line =~ /\G(?:"((?:[^"]|"")*)"|([^,]*))(?:,|$)/g && @field < 8;
	s/""/"/g for @field;
	$truth{rows}++;
	my $description = $field[2];
	$description =~ s/^\s+|\s+$//g;
	$truth{trimmed}++ if $description ne $field[2];
	$truth{noise}++ if $description ne '' && $noise{$description};
	$description = '' if $noise{$description};
	$field[2] = $description;
	if ($field[6] eq '') { $truth{missing}++; next; }
	$field[5] = 0 + $field[5];
	if ($seen{ join "\0", @field }++) { $truth{duplicate}++; next; }
	if ($field[5] <= 0) { $truth{unpaid}++; next; }
	$truth{kept}++;
	$truth{renamed}++ if $renamed{ $field[7] };
	$truth{cancelled}++ if $field[0] =~ /^C/;
	$truth{amount} += $field[3] * sprintf('%.0f', $field[5] * 1000);
}
close $file;

# in by COPY from the gz, and through a csv source
sql(qq{
	CREATE EXTENSION dmp;
	CREATE TABLE raw (invoice text, stock_code text, description text, quantity text, invoice_date text, unit_price text, customer_id text, country text);
	CREATE TABLE loaded (LIKE raw);
	COPY raw FROM PROGRAM 'gzip -dc ''$gz''' CSV HEADER;
});
is(sql(q{SELECT count(*) FROM raw}), $truth{rows}, "$truth{rows} rows from the gz");
sql(q{SELECT 1 FROM dmp.create_source('retail', into_table => 'loaded', format => 'csv', mapping => '{"invoice": "InvoiceNo", "stock_code": "StockCode", "description": "Description",
	"quantity": "Quantity", "invoice_date": "InvoiceDate", "unit_price": "UnitPrice", "customer_id": "CustomerID", "country": "Country"}')});
is(sql(qq{SELECT rows_read, rows_loaded, rows_quarantined FROM dmp.ingest('retail', '$csv')}), "$truth{rows}|$truth{rows}|0", 'a csv source loads each');
is(sql(q{SELECT count(*) FROM (TABLE raw EXCEPT ALL TABLE loaded) q}), 0, 'the same rows');

my $recipe = q{[{"trim": "*"}, {"missing": ["", "?", "??", "???", "missing", "check", "damages"]}, {"drop_missing": ["customer_id"]},
	{"cast": {"quantity": "int", "invoice_date": "timestamp", "unit_price": "numeric(12,3)", "customer_id": "int"}}, {"deduplicate": "*"}, {"require": "unit_price > 0"},
	{"map": {"country": {"EIRE": "Ireland", "RSA": "South Africa", "USA": "United States"}}},
	{"derive": {"amount": "quantity * unit_price", "cancelled": "invoice LIKE 'C%'"}}, {"fill": {"description": {"mode_by": "stock_code"}}}]};
$recipe =~ s/'/''/g;
is(sql(qq{SELECT step, column_name, cells_changed, rows_quarantined FROM dmp.clean('loaded', 'retail', '$recipe')
		WHERE (step, coalesce(column_name, '')) IN ((1, 'description'), (2, 'description'), (3, 'customer_id'), (5, ''), (6, ''), (7, 'country')) ORDER BY step}),
	"1|description|$truth{trimmed}|0\n2|description|$truth{noise}|0\n3|customer_id|0|$truth{missing}\n5||0|$truth{duplicate}\n6||0|$truth{unpaid}\n7|country|$truth{renamed}|0",
	'what each step changed and rejected');
is(sql(q{SELECT count(*), count(*) FILTER (WHERE cancelled), (sum(amount) * 1000)::bigint, count(*) FILTER (WHERE country IN ('EIRE', 'RSA', 'USA')) FROM retail}),
	"$truth{kept}|$truth{cancelled}|$truth{amount}|0", 'the clean table');
is(sql(q{SELECT sqlstate, count(*) FROM dmp.quarantine WHERE source IS DISTINCT FROM 'retail' GROUP BY sqlstate ORDER BY sqlstate}),
	"23502|$truth{missing}\n23505|$truth{duplicate}\n23514|$truth{unpaid}", 'each rejected row in the quarantine, with its reason');
is($truth{kept} + $truth{missing} + $truth{duplicate} + $truth{unpaid}, $truth{rows}, 'no row is lost');

# each changed cell is explained, in one look at the run
sql(q{CREATE TABLE history AS SELECT action, column_name, before, after, reason, source_row->>'invoice' AS invoice, source_row->>'stock_code' AS stock_code
	FROM dmp.cell_history((SELECT max(run) FROM dmp.recipe_runs), columns => '{invoice,stock_code}') WHERE action NOT IN ('cast', 'derive')});
is(sql(q{SELECT action, column_name, count(*) FROM history WHERE reason IS NULL GROUP BY 1, 2 ORDER BY 1, 2}),
	"map|country|$truth{renamed}\nmissing|description|$truth{noise}\ntrim|description|$truth{trimmed}", 'changed cells, one by one');
is(sql(q{SELECT action, count(*) FROM history WHERE reason IS NOT NULL GROUP BY 1 ORDER BY 1}),
	"deduplicate|$truth{duplicate}\ndrop_missing|$truth{missing}\nrequire|$truth{unpaid}", 'rejected rows, one by one');
is(sql(q{SELECT before, after FROM history WHERE invoice = '536540' AND stock_code = '22968' AND action = 'map'}), 'EIRE|Ireland', 'one cell');
is(sql(q{SELECT action, reason FROM history WHERE invoice = '536414' AND reason IS NOT NULL}), 'drop_missing|value is missing', 'one row');
$node->stop;
done_testing();
