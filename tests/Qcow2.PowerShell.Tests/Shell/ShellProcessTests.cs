namespace Qcow2.PowerShell.Tests.Shell;

public sealed class ShellProcessTests(StubModule module) : IClassFixture<StubModule>
{
    [Fact]
    public void Command_shows_objects_by_the_modules_view_and_exits_0()
    {
        (int code, string output, string error) = Run(null, "-NoProfile", "-Command", "Get-Stub;", "'text'");
        Assert.Equal("", error);
        Assert.Contains("Size(GiB)\n---------\n3\n", output, StringComparison.Ordinal);
        Assert.Contains("text", output, StringComparison.Ordinal);
        Assert.DoesNotContain("\e", output, StringComparison.Ordinal);
        Assert.Equal(0, code);
    }

    [Fact]
    public void Last_statement_failed_exits_1_and_errors_go_to_standard_error()
    {
        (int code, string output, string error) = Run(null, "-c", "'before'; No-SuchCommand");
        Assert.Equal("before\n", output);
        Assert.StartsWith("No-SuchCommand: ", error, StringComparison.Ordinal);
        Assert.Equal(1, code);
    }

    [Fact]
    public void Script_file_gets_its_arguments_and_gives_its_exit_code()
    {
        string script = module.Write("arguments.ps1", "param($A, [switch]$B, $C) \"$A|$B|$C|$args\"; exit 5");
        (int code, string output, _) = Run(null, "-File", script, "-C:z", "-B", "x y", "rest");
        Assert.Equal("x y|True|z|rest\n", output);
        Assert.Equal(5, code);
    }

    [Fact]
    public void Script_file_that_throws_exits_1_and_says_where()
    {
        string script = module.Write("throws.ps1", "'one'\nthrow 'broken'\n'two'");
        (int code, string output, string error) = Run(null, script);
        Assert.Equal("one\n", output);
        Assert.Contains("throws.ps1:2", error, StringComparison.Ordinal);
        Assert.Contains("broken", error, StringComparison.Ordinal);
        Assert.Equal(1, code);
    }

    [Theory]
    [InlineData("-Command", "-")]
    [InlineData("-NonInteractive")]
    public void Standard_input_is_a_script(params string[] arguments)
    {
        (int code, string output, _) = Run("if ($true) {\n  'from standard input'\n}\nexit 7\n", arguments);
        Assert.Equal("from standard input\n", output);
        Assert.Equal(7, code);
    }

    [Fact]
    public void Unknown_option_exits_64()
    {
        (int code, string output, string error) = ShellProcess.Run(null, "-Colour");
        Assert.Equal("", output);
        Assert.Contains("'-Colour'", error, StringComparison.Ordinal);
        Assert.Equal(64, code);
    }

    [Fact]
    public void Missing_module_exits_1_and_says_where_it_was_sought()
    {
        (int code, string output, string error) = ShellProcess.Run(null, "-ModulePath", "/no/such/folder", "-Command", "1");
        Assert.Equal("", output);
        Assert.Contains("Qcow2.psd1", error, StringComparison.Ordinal);
        Assert.Equal(1, code);
    }

    [ModuleBesideShellFact]
    public void Module_beside_the_shell_is_loaded()
    {
        (int code, string output, string error) = ShellProcess.Run(null, "-c", "(Get-Module Qcow2).ModuleBase");
        Assert.Equal("", error);
        Assert.StartsWith(Path.GetDirectoryName(ShellProcess.ShellPath)!, output, StringComparison.Ordinal);
        Assert.Equal(0, code);
    }

    private (int ExitCode, string Output, string Error) Run(string? input, params string[] arguments) =>
        ShellProcess.Run(input, ["-ModulePath", module.Folder, .. arguments]);
}
