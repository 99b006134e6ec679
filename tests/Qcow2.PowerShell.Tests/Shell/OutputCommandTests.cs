namespace Qcow2.PowerShell.Tests.Shell;

public sealed class OutputCommandTests(ShellTestSession shell) : IClassFixture<ShellTestSession>
{
    private const string Item = "[pscustomobject]@{ Name = 'disk'; Size = 3GB }";

    [Theory]
    [InlineData(Item + " | Format-Table Name, @{ n = 'GB'; e = { $_.Size / 1GB } }", "Name GB\n---- --\ndisk  3")]
    [InlineData(Item + " | ft -HideTableHeaders", "disk 3221225472")]
    [InlineData(Item + " | Format-List", "Name : disk\nSize : 3221225472")]
    [InlineData("1..3 | % { [pscustomobject]@{ N = $_ } } | Format-Wide N", "1                                                           2\n3")]
    [InlineData("(" + Item + " | Out-String).Contains('disk 3221225472')", "True")]
    [InlineData("'x' | Out-String -NoNewline", "x")]
    [InlineData("(" + Item + " | Out-String -Stream).Count", "5")]
    [InlineData("Write-Host a 1 (2, 3) -Separator '-'", "a-1-2-3")]
    [InlineData("Write-Host hidden 6> $null; 'shown'", "shown")]
    public void Shows(string script, string expected) => Assert.Equal(expected, shell.Run(script));

    [Theory]
    [InlineData("Write-Error 'broken'", "Write-Error: broken")]
    [InlineData("Write-Warning w", "WARNING: w")]
    [InlineData("Write-Verbose v -Verbose", "VERBOSE: v")]
    [InlineData("Write-Debug d -Debug", "DEBUG: d")]
    [InlineData("Write-Verbose v; Write-Debug d; Write-Information i", "")]
    [InlineData("Write-Progress a -PercentComplete 5", "")]
    public void Goes_to_standard_error(string script, string expected)
    {
        (_, string output, string error) = shell.TryRun(script);
        Assert.Equal("", output);
        Assert.Equal(expected, error);
    }

    [Theory]
    [InlineData("if (")]
    [InlineData("foo(]")]
    public void Syntax_error_says_what_and_where(string script)
    {
        (bool succeeded, _, string error) = shell.TryRun(script);
        Assert.False(succeeded);
        Assert.Contains($"1 |  {script}", error, StringComparison.Ordinal);
    }

    [Fact]
    public void Question_is_an_error_where_nobody_answers() =>
        Assert.Contains("-NonInteractive", shell.TryRun("Read-Host name").Error, StringComparison.Ordinal);

    [Theory]
    [InlineData("'no'; Write-Error e", false)]
    [InlineData("Write-Error e; 'yes'", true)]
    [InlineData("throw 'e'", false)]
    public void Result_is_that_of_the_last_statement(string script, bool expected) => Assert.Equal(expected, shell.TryRun(script).Succeeded);
}
