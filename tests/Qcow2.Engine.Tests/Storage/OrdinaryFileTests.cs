using System.ComponentModel;
using System.Diagnostics;
using Qcow2.Engine.Storage;
using Qcow2.Engine.Tests.Conversion;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Storage;

/// <summary>Files that Hyper-V takes: without holes, neither compressed nor encrypted by the file system.</summary>
public sealed class OrdinaryFileTests : IDisposable
{
    private const FileAttributes Refused = FileAttributes.SparseFile | FileAttributes.Compressed | FileAttributes.Encrypted;

    private readonly TempFolder _folder = new();

    public static TheoryData<string> Layouts => [.. BlockLayouts.All.Keys];

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(FileAttributes.Normal, null)]
    [InlineData(FileAttributes.Archive | FileAttributes.NotContentIndexed, null)]
    [InlineData(FileAttributes.Archive | FileAttributes.SparseFile, "sparse")]
    [InlineData(FileAttributes.Compressed, "compressed")]
    [InlineData(FileAttributes.Encrypted, "EFS")]
    [InlineData(FileAttributes.IntegrityStream, "ReFS")]
    public void What_Hyper_V_would_refuse_is_said(FileAttributes attributes, string? reason)
    {
        IReadOnlyList<string> problems = HyperVFile.ProblemsOf(attributes);
        if (reason is null)
        {
            Assert.Empty(problems);
        }
        else
        {
            Assert.Contains(reason, Assert.Single(problems), StringComparison.Ordinal);
        }
    }

    [Fact]
    public void All_reasons_are_said() => Assert.Equal(3, HyperVFile.ProblemsOf(Refused).Count);

    [Theory, MemberData(nameof(Layouts))]
    public void Formats_of_Hyper_V_get_an_ordinary_file_and_others_do_not(string name)
    {
        bool? isOrdinary = null;
        BlockCreateOptions layout = BlockLayouts.All[name] with
        {
            Through = file =>
            {
                isOrdinary = ((LocalFile)file).IsOrdinary;
                return file;
            },
        };

        layout.CreateFile(_folder.File("disk"), 1 << 20, overwrite: false, null, default);

        Assert.Equal(layout.FormatName.StartsWith("vhd", StringComparison.Ordinal), isOrdinary);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Switch_reaches_a_file_with_a_name_and_one_without(bool canHaveNoName)
    {
        string path = _folder.File("file");
        foreach (bool isOrdinary in (bool[])[true, false])
        {
            using IncompleteFile file = IncompleteFile.Create(path, path, isPrivate: false, canHaveNoName, (_, _) => { }, isOrdinary);
            Assert.Equal(isOrdinary, file.File.IsOrdinary);
        }
    }

    /// <summary>More than 64 MiB at once, where other files are made sparse a second time.</summary>
    [WindowsTheory]
    [InlineData("vhd fixed")]
    [InlineData("vhdx fixed")]
    [InlineData("vhdx")]
    public void New_file_has_no_holes(string name)
    {
        string path = _folder.File("disk");
        BlockLayouts.All[name].CreateFile(path, 100 << 20, overwrite: false, null, default);
        Assert.Equal((FileAttributes)0, File.GetAttributes(path) & Refused);
        Assert.Empty(HyperVFile.ProblemsOf(File.GetAttributes(path)));
    }

    [WindowsTheory]
    [InlineData("compact", "/c", FileAttributes.Compressed)]
    [InlineData("cipher", "/e", FileAttributes.Encrypted)]
    public void New_file_does_not_get_what_its_folder_passes_on(string program, string option, FileAttributes attribute)
    {
        string folder = _folder.File("sub/x")[..^2];
        string plain = Path.Combine(folder, "plain");
        try
        {
            using Process process = Process.Start(new ProcessStartInfo(program, [option, folder]) { RedirectStandardOutput = true })!;
            process.StandardOutput.ReadToEnd();
            process.WaitForExit();
        }
        catch (Win32Exception)
        {
            return; // Wine has no such program.
        }

        File.WriteAllText(plain, "plain");
        if (!File.GetAttributes(plain).HasFlag(attribute))
        {
            return; // The file system does not do that.
        }

        string path = Path.Combine(folder, "disk.vhdx");
        VhdxCreateOptions.Default.CreateFile(path, 1 << 20, overwrite: false, null, default);
        Assert.Equal((FileAttributes)0, File.GetAttributes(path) & Refused);
        Assert.Equal(1 << 20, DiskFormats.Get("vhdx").ReadInformation(path).Size);
    }
}
