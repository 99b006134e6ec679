using Qcow2.Shell.Options;

namespace Qcow2.PowerShell.Tests.Shell;

public sealed class ShellOptionsParserTests
{
    [Theory]
    [InlineData("Prompt", "")]
    [InlineData("Command", "1 + 1", "-Command", "1", "+", "1")]
    [InlineData("Command", "gci -File x", "-noprofile", "--c", "gci", "-File", "x")]
    [InlineData("StandardInput", "", "-c", "-")]
    [InlineData("StandardInput", "", "-")]
    [InlineData("File", "a.ps1", "-f", "a.ps1", "-c", "x")]
    [InlineData("File", "a.ps1", "-NoLogo", "a.ps1")]
    [InlineData("Version", "", "-v")]
    [InlineData("Help", "", "-?")]
    [InlineData("Help", "", "-Help", "x")]
    [InlineData("Prompt", "", "-NonI", "-ModulePath", "m")]
    public void Understands(string mode, string text, params string[] arguments)
    {
        ShellOptions options = ShellOptionsParser.Parse(arguments);
        Assert.Equal(mode, options.Mode.ToString());
        Assert.Equal(text, options.Text);
    }

    [Fact]
    public void What_follows_the_script_goes_to_the_script()
    {
        ShellOptions options = ShellOptionsParser.Parse(["-NonInteractive", "-ModulePath", "m", "a.ps1", "-NoLogo", "x"]);
        Assert.Equal(["-NoLogo", "x"], options.ScriptArguments);
        Assert.True(options.NonInteractive);
        Assert.False(options.NoLogo);
        Assert.Equal("m", options.ModulePath);
    }

    [Theory]
    [InlineData("-x", "unknown")]
    [InlineData("-no", "ambiguous")]
    [InlineData("-Command", "needs")]
    [InlineData("-File", "needs")]
    [InlineData("-ModulePath", "needs")]
    public void Refuses(string argument, string reason) =>
        Assert.Contains(reason, Assert.Throws<UsageException>(() => ShellOptionsParser.Parse([argument])).Message, StringComparison.Ordinal);
}
