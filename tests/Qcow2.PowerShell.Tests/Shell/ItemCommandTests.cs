namespace Qcow2.PowerShell.Tests.Shell;

public sealed class ItemCommandTests : IDisposable
{
    private readonly ShellTestSession _shell = new();

    [Fact]
    public void Get_ChildItem_selects_by_pattern_filter_kind_and_depth()
    {
        Make("a.qcow2", "b.raw", "d/c.qcow2", "d/e/f.qcow2");
        Assert.Equal("a.qcow2", _shell.Run("Get-ChildItem *.qcow2 -Name"));
        Assert.Equal("b.raw", _shell.Run("gci -Filter *.raw -Name"));
        Assert.Equal("d", _shell.Run("dir -Directory -Name"));
        Assert.Equal("a.qcow2\nb.raw", _shell.Run("gci -File -Name"));
        Assert.Equal("a.qcow2\nc.qcow2\nf.qcow2", _shell.Run("gci *.qcow2 -Recurse -Name | sort-object"));
        Assert.Equal("a.qcow2\nc.qcow2\nf.qcow2", _shell.Run("gci . -Recurse -Include *.qcow2 -Name | Sort-Object"));
        Assert.Equal("c.qcow2", _shell.Run("gci d -Depth 0 -File -Name"));
        Assert.Equal("", _shell.Run("gci *.vhdx"));
    }

    [Fact]
    public void Brackets_are_a_pattern_in_Path_and_a_name_in_LiteralPath()
    {
        Make("a[1].qcow2", "a1.qcow2");
        Assert.Equal("a1.qcow2", _shell.Run("gci 'a[1].qcow2' -Name"));
        Assert.Equal("a[1].qcow2", _shell.Run("gci -LiteralPath 'a[1].qcow2' -Name"));
        Assert.Equal("text of a[1].qcow2", _shell.Run("gci -LiteralPath 'a[1].qcow2' | Get-Content"));
        Assert.Equal("True\nFalse", _shell.Run("Test-Path -LiteralPath 'a[1].qcow2' -PathType Leaf; Test-Path 'b[1].qcow2'"));
    }

    [Fact]
    public void Missing_path_is_an_error_with_the_providers_id_and_the_rest_go_on()
    {
        Make("a");
        (_, string output, string error) = _shell.TryRun("gci nope, a -Name; try { Get-Item nope -ea Stop } catch { $_.FullyQualifiedErrorId }");
        Assert.StartsWith("a\nPathNotFound,", output, StringComparison.Ordinal);
        Assert.Contains("nope", error, StringComparison.Ordinal);
    }

    [Fact]
    public void Files_are_shown_in_the_engines_table() =>
        Assert.Matches("LastWriteTime.*Name\n", _shell.Run("New-Item a | Out-Null; Get-Item a"));

    [Fact]
    public void New_Copy_Move_Rename_Remove()
    {
        _shell.Run("New-Item -ItemType Directory d/e | Out-Null; New-Item d/a -Value 'hello' | Out-Null");
        _shell.Run("Copy-Item d/a b; Copy-Item d d2 -Recurse; Move-Item b c; Rename-Item c z; Remove-Item d/a");
        Assert.Equal("d\nd/e\nd2\nd2/a\nd2/e\nz", string.Join('\n', Names()));
        Assert.Equal("hello", File.ReadAllText(Path.Combine(_shell.Folder, "z")));
        _shell.Run("Remove-Item d, d2 -Recurse; del z");
        Assert.Empty(Names());
    }

    [Fact]
    public void WhatIf_leaves_everything_as_it_was()
    {
        Make("a", "d/b");
        string output = _shell.Run("ri d -Recurse -WhatIf; cpi a x -WhatIf; mi a y -WhatIf; ni z -WhatIf; rni a w -WhatIf; 'x' | Set-Content a -WhatIf");
        Assert.Equal(6, output.Split("What if: ").Length - 1);
        Assert.Equal("a\nd\nd/b", string.Join('\n', Names()));
    }

    [Fact]
    public void Content_is_written_appended_and_read()
    {
        _shell.Run("'one', 'two' | Set-Content t; 'three' | Add-Content t; Set-Content -Path b -Value ([byte[]](0, 255)) -AsByteStream");
        Assert.Equal("one\ntwo\nthree", _shell.Run("Get-Content t"));
        Assert.Equal("one", _shell.Run("gc t -TotalCount 1"));
        Assert.Equal("three", _shell.Run("gc t -Tail 1"));
        Assert.Equal("1", _shell.Run("(gc t -Raw | Write-Output).GetType().Name -eq 'String' | % { 1 }"));
        Assert.Equal([0, 255], File.ReadAllBytes(Path.Combine(_shell.Folder, "b")));
        Assert.Equal("255", _shell.Run("gc b -AsByteStream | Select-Object -Last 1"));
        Assert.Equal("on", _shell.Run("$env:QCOW2SH_TEST = 'on'; gc env:QCOW2SH_TEST"));
    }

    [Fact]
    public void Redirection_writes_and_appends() =>
        Assert.Equal("1\n2", _shell.Run("1 > r.txt; 2 >> r.txt; gc r.txt"));

    [Fact]
    public void Locations_and_paths()
    {
        Make("d/e/f");
        Assert.Equal("e\nTrue", _shell.Run("cd d; pushd e; Split-Path (pwd) -Leaf; popd; (pwd).Path -eq (Convert-Path .)"));
        Assert.Equal(Path.Combine("a", "b", "c"), _shell.Run("Join-Path a b c"));
        Assert.Equal(Path.Combine(".", "d", "e"), _shell.Run("Resolve-Path d/* -Relative"));
        Assert.Equal("False", _shell.TryRun("cd nope; $?").Output);
    }

    [Fact]
    public void Get_FileHash_is_sha256_by_default()
    {
        File.WriteAllText(Path.Combine(_shell.Folder, "a"), "hello");
        Assert.Equal("2CF24DBA5FB0A30E26E83B2AC5B9E29E1B161E5C1FA7425E73043362938B9824", _shell.Run("(Get-FileHash a).Hash"));
        Assert.Equal("5D41402ABC4B2A76B9719D911017C592", _shell.Run("gci a | Get-FileHash -Algorithm MD5 | % Hash"));
    }

    public void Dispose() => _shell.Dispose();

    private void Make(params string[] names)
    {
        foreach (string name in names)
        {
            string path = Path.Combine(_shell.Folder, name);
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.WriteAllText(path, $"text of {name}");
        }
    }

    private IEnumerable<string> Names() => Directory
        .EnumerateFileSystemEntries(_shell.Folder, "*", SearchOption.AllDirectories)
        .Select(p => Path.GetRelativePath(_shell.Folder, p).Replace('\\', '/'))
        .Order(StringComparer.Ordinal);
}
