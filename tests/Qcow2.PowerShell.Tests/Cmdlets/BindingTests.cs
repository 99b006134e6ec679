using System.Management.Automation;
using Qcow2.Engine;
using Qcow2.PowerShell.Tests.Infrastructure;

namespace Qcow2.PowerShell.Tests.Cmdlets;

/// <summary>The three ways in, which every cmdlet has from one base class.</summary>
public sealed class BindingTests(ModuleSession session) : IClassFixture<ModuleSession>
{
    public static TheoryData<string> Names => ["plain.qcow2", "a[1].qcow2", "with space.qcow2", "Größe 磁盘.qcow2", "quote'd.qcow2"];

    [Theory]
    [MemberData(nameof(Names))]
    public void Every_way_in_leads_to_the_file(string name)
    {
        string path = Put(name);
        string escaped = WildcardPattern.Escape(path);
        foreach (string script in new[]
        {
            "Get-Qcow2Image -LiteralPath $args[0]",
            "Get-Qcow2Image -LP $args[0]",
            "Get-Qcow2Image -PSPath $args[0]",
            "Get-Qcow2Image -FullName $args[0]",
            "Get-Item -LiteralPath $args[0] | Get-Qcow2Image",
            "[IO.FileInfo] $args[0] | Get-Qcow2Image",
            "Get-Qcow2Image -LiteralPath $args[0] | Get-Qcow2Image",
            "Get-Qcow2Image -InputObject (Get-Qcow2Image -LiteralPath $args[0])",
            "[pscustomobject] @{ LiteralPath = $args[0] } | Get-Qcow2Image",
            "[pscustomobject] @{ PSPath = \"Microsoft.PowerShell.Core\\FileSystem::$($args[0])\" } | Get-Qcow2Image",
        })
        {
            Assert.Equal(path, Assert.Single(session.Run(script, path).Of<Qcow2ImageInfo>()).Path);
        }

        foreach (string script in new[]
        {
            "Get-Qcow2Image $args[0]",
            "Get-Qcow2Image -Path $args[0]",
            "$args[0] | Get-Qcow2Image",
            "[pscustomobject] @{ Path = $args[0] } | Get-Qcow2Image",
        })
        {
            Assert.Equal(path, Assert.Single(session.Run(script, escaped).Of<Qcow2ImageInfo>()).Path);
        }
    }

    [Fact]
    public void A_relative_name_starts_from_the_sessions_location()
    {
        string path = Put("relative.qcow2");
        Assert.NotEqual(session.Folder.Path, Environment.CurrentDirectory);
        Assert.Equal(path, Assert.Single(session.Run("Get-Qcow2Image relative.qcow2").Of<Qcow2ImageInfo>()).Path);
        Assert.Equal(path, Assert.Single(session.Run("Get-Qcow2Image -LiteralPath ./relative.qcow2").Of<Qcow2ImageInfo>()).Path);
    }

    [Fact]
    public void Several_names_and_wildcards_are_taken_in_order()
    {
        Put("many-1.qcow2");
        Put("many-2.qcow2");
        Put("many-3.qcow2");
        session.Folder.File("many-4.qcow2/inner");
        Assert.Equal(3, session.Run("Get-Qcow2Image many-*.qcow2").Output.Count);
        Assert.Equal(
            [session.File("many-3.qcow2"), session.File("many-1.qcow2")],
            session.Run("Get-Qcow2Image many-3.qcow2, many-1.qcow2").Of<Qcow2ImageInfo>().Select(image => image.Path));
    }

    [Fact]
    public void A_wildcard_that_matches_nothing_is_a_name_or_an_error()
    {
        SessionResult result = session.Run("Get-Qcow2Image nothing-*.qcow2");
        Assert.Empty(result.Output);
        Assert.Equal(["PathNotFound"], result.ErrorIds);

        string path = Put("bracket[9].qcow2");
        Assert.Equal(path, Assert.Single(session.Run("Get-Qcow2Image 'bracket[9].qcow2'").Of<Qcow2ImageInfo>()).Path);
    }

    [Fact]
    public void Every_object_of_the_module_goes_into_input_object()
    {
        string path = Put("a[2].qcow2");
        foreach (string type in new[] { "Qcow2ImageInfo", "Qcow2Snapshot", "Qcow2Extent", "Qcow2Partition", "Qcow2ImagePicture", "Qcow2Bitmap", "Qcow2KeySlot", "Qcow2CheckResult", "Qcow2MeasureResult", "Qcow2CompareResult" })
        {
            SessionResult result = session.Run($"[Qcow2.Engine.{type}] @{{ Path = $args[0] }} | Get-Qcow2Image", path);
            Assert.Equal(path, Assert.Single(result.Of<Qcow2ImageInfo>()).Path);
        }
    }

    [Fact]
    public void An_object_without_a_path_binds_to_nothing()
        => Assert.Equal(["InputObjectNotBound"], session.Run("[pscustomobject] @{ Size = 1 } | Get-Qcow2Image").ErrorIds);

    [Fact]
    public void A_row_of_a_table_binds_by_its_columns()
    {
        Put("row.qcow2");
        session.Run("[pscustomobject] @{ LiteralPath = 'row.qcow2'; DestinationPath = 'row.raw' } | Convert-Qcow2Image");
        Assert.True(File.Exists(session.File("row.raw")));
    }

    [Fact]
    public void Every_cmdlet_on_existing_images_has_the_same_parameter_sets_and_one_more_if_it_only_reads()
    {
        // Servers that run are no images.
        string[] readers = ["Compare-Qcow2Image", "Convert-Qcow2Image", "Export-Qcow2Change", "Export-Qcow2Snapshot", "Get-Qcow2Extent", "Get-Qcow2Image", "Get-Qcow2Partition", "Read-Qcow2Image", "Show-Qcow2Image", "Start-Qcow2NbdServer", "Test-Qcow2Image"];
        const string Commands = "Get-Command -Module Qcow2 -CommandType Cmdlet | Where-Object { $_.Verb -notin 'New', 'Measure' -and $_.Name -notin 'Get-Qcow2NbdServer', 'Stop-Qcow2NbdServer' }";
        foreach (PSObject command in session.Run(Commands).Output)
        {
            var cmdlet = (CmdletInfo)command.BaseObject;
            string[] sets = readers.Contains(cmdlet.Name) ? ["InputObject", "LiteralPath", "Path", "Uri"] : ["InputObject", "LiteralPath", "Path"];
            Assert.Equal(sets, cmdlet.ParameterSets.Select(set => set.Name).Order());
            Assert.Equal("Path", cmdlet.DefaultParameterSet);
            Assert.NotEmpty(cmdlet.OutputType);
        }
    }

    private string Put(string name)
    {
        string path = session.File(name);
        File.Copy(Fixtures.Get("empty").Path, path, overwrite: true);
        return path;
    }
}
