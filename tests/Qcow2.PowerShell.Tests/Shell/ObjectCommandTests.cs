namespace Qcow2.PowerShell.Tests.Shell;

public sealed class ObjectCommandTests(ShellTestSession shell) : IClassFixture<ShellTestSession>
{
    private const string Disks = "$d = 1..4 | % { [pscustomobject]@{ Name = \"d$_\"; Size = $_ * 1GB; Odd = $_ % 2 } }; ";

    [Theory]
    [InlineData("1..9 | Select-Object -First 2", "1\n2")]
    [InlineData("1..9 | select -Last 2", "8\n9")]
    [InlineData("1..9 | select -Skip 7", "8\n9")]
    [InlineData("1..9 | select -Skip 1 -First 1", "2")]
    [InlineData("'a', 'b', 'a' | select -Unique", "a\nb")]
    [InlineData("& { 1; 2; throw 'not stopped' } | select -First 1", "1")]
    [InlineData(Disks + "$d | select -ExpandProperty Name -First 1", "d1")]
    [InlineData(Disks + "$d | select Name, @{ n = 'GB'; e = { $_.Size / 1GB } }, Missing -First 1 | ConvertTo-Json -Compress", """{"Name":"d1","GB":1,"Missing":null}""")]
    [InlineData(Disks + "$d | select * -ExcludeProperty S* -First 1 | ConvertTo-Json -Compress", """{"Name":"d1","Odd":1}""")]
    [InlineData("3, 1, 2 | Sort-Object", "1\n2\n3")]
    [InlineData("'b', 'A', 'c' | Sort-Object -Descending", "c\nb\nA")]
    [InlineData("3, 1, 3 | Sort-Object -Unique", "1\n3")]
    [InlineData(Disks + "$d | Sort-Object Odd, @{ e = 'Size'; Descending = $true } | % Name", "d4\nd2\nd3\nd1")]
    [InlineData(Disks + "$m = $d | Measure-Object Size -Sum -Average -Minimum -Maximum; $m.Count, ($m.Sum / 1GB), ($m.Average / 1GB), ($m.Maximum / 1GB)", "4\n10\n2.5\n4")]
    [InlineData("(@() | Measure-Object).Count", "0")]
    [InlineData(Disks + "$d | group Odd | % { \"$($_.Name)=$($_.Count)\" }", "0=2\n1=2")]
    [InlineData(Disks + "($d | group Odd -AsHashTable)[1].Count", "2")]
    [InlineData("[pscustomobject]@{ A = 1 } | Get-Member -MemberType NoteProperty | % Definition", "int A=1")]
    [InlineData("(New-Object System.Text.StringBuilder 'abc').ToString(); (New-Object 'int[]' 3).Length; (New-Object psobject -Property @{ a = 1 }).a; (New-Object datetime '2020', 1, 2).Year", "abc\n3\n1\n2020")]
    [InlineData("$v = 5; Get-Variable v -ValueOnly; Set-Variable v 6; $v", "5\n6")]
    [InlineData("Write-Output a b; (, (1, 2) | Write-Output -NoEnumerate | % Count)", "a\nb\n2")]
    [InlineData("Get-Date -Date 2024-02-03 -Format yyyyMMdd", "20240203")]
    [InlineData("(Measure-Command { Start-Sleep -Milliseconds 20 }).TotalMilliseconds -ge 15", "True")]
    [InlineData("(ConvertTo-SecureString abc -AsPlainText -Force).Length", "3")]
    public void Works_as_in_pwsh(string script, string expected) => Assert.Equal(expected, shell.Run(script));

    [Fact]
    public void Unknown_type_is_an_error() =>
        Assert.Contains("No.Such.Type", shell.TryRun("New-Object No.Such.Type").Error, StringComparison.Ordinal);
}
