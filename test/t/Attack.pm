package Attack;

# What the attack suites share: an attempt is SQL that a hostile role runs, and
# what must come of it. Rows that she must never see hold the word VICTIM: no
# attempt passes whose output or errors have it, whatever else was expected.
use strict;
use warnings;
use Exporter 'import';
use IPC::Run qw(start);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

our @EXPORT = qw(target node as_root run_as attack leaks try_all session ask say_to leave);

my $node;
my $database = 'postgres';

# a server to attack
sub target
{
	my ($name, $conf) = @_;
	$node = PostgreSQL::Test::Cluster->new($name);
	$node->init;
	$node->append_conf('postgresql.conf', "shared_buffers = '128MB'\nautovacuum = off\nfsync = off\n" . ($conf // ''));
	$node->start;
	return $node;
}

sub node
{
	return $node;
}

# by the superuser; dies when it fails
sub as_root
{
	my ($sql) = @_;
	return $node->safe_psql($database, $sql);
}

# (status, output, errors); goes on behind an error, as an attacker would
sub run_as
{
	my ($role, $sql, %how) = @_;
	local $ENV{PGOPTIONS} = $how{options} if $how{options};
	my ($out, $err) = ('', '');
	my $status = $node->psql($how{database} // $database, $sql, stdout => \$out, stderr => \$err,
		extra_params => [ '-U', $role ], on_error_stop => 0);
	return ($status, $out, $err);
}

# A session that stays: what it said to a statement, errors too, without the last newline.
sub session
{
	my ($role, %how) = @_;
	my %s = (in => '', out => '');
	local $ENV{PGOPTIONS} = $how{options} if $how{options};
	$s{run} = start([ 'psql', '-XAtq', '-d', $node->connstr($how{database} // $database), '-U', $role, '-f', '-' ], '<', \$s{in}, '>', \$s{out}, '2>&1');
	return \%s;
}

# without waiting for what it says
sub say_to
{
	my ($s, $sql) = @_;
	$s->{out} = '';
	$s->{in} .= "$sql;\n\\echo :said\n";
	$s->{run}->pump_nb while $s->{in} ne '';
	return;
}

sub ask
{
	my ($s, $sql) = @_;
	say_to($s, $sql) if defined $sql;
	$s->{run}->pump until $s->{out} =~ /^:said$/m || !$s->{run}->pumpable;
	my $out = $s->{out};
	$out =~ s/\n?^:said\n\z//m;
	return $out;
}

sub leave
{
	my ($s) = @_;
	$s->{in} .= "\\q\n";
	$s->{run}->finish;
	return;
}

# does it show what it must not
sub leaks
{
	return join('', @_) =~ /VICTIM/;
}

# attack name, role, sql, err => pattern or list of patterns of the errors, out
# => text or pattern of the output; nothing is said of what is not given. err
# => '' : no error at all, which is for what is answered by no rows.
sub attack
{
	my ($name, $role, $sql, %want) = @_;
	my ($status, $out, $err) = run_as($role, $sql, %want);
	my @bad;
	push @bad, 'it sees what it must not' if leaks($out, $err);
	push @bad, 'the server broke' if $err =~ /server closed the connection|could not connect|PANIC|XX000/;
	if (defined $want{err})
	{
		my @patterns = ref $want{err} eq 'ARRAY' ? @{ $want{err} } : ($want{err});
		for my $pattern (@patterns)
		{
			if (ref $pattern) { push @bad, "no error like $pattern" if $err !~ $pattern }
			elsif ($pattern eq '') { push @bad, 'an error' if $err =~ /^psql:.*(ERROR|FATAL):/m }
			else { push @bad, "no error \"$pattern\"" if index($err, $pattern) < 0 }
		}
	}
	if (defined $want{out})
	{
		if (ref $want{out}) { push @bad, "no output like $want{out}" if $out !~ $want{out} }
		else { push @bad, "the output is not \"$want{out}\"" if $out ne $want{out} }
	}
	ok(!@bad, $name) or diag(join('; ', @bad, grep { leaks($_) } split /\n/, "$out\n$err"), "\n",
		substr($sql, 0, 1000), "\n-- output: ", substr($out, 0, 2000), "\n-- errors: ", substr($err, 0, 2000));
	return ($out, $err);
}

# try_all label, role, list of [name, sql, expectations...]
sub try_all
{
	my ($label, $role, @attempts) = @_;
	for my $attempt (@attempts)
	{
		my ($name, $sql, @want) = @$attempt;
		attack("$label: $name", $role, $sql, @want);
	}
	return;
}

1;
