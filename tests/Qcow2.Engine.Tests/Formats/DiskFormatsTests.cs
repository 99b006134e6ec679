using Qcow2.Engine.Conversion;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Formats;

/// <summary>The registry: what a file is taken for, and what each format can do.</summary>
public sealed class DiskFormatsTests : IDisposable
{
    private const int DiskSize = 1 << 20;

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Names_and_extensions_belong_to_one_format()
    {
        Assert.Equal(DiskFormats.All.Count, DiskFormats.All.Select(format => format.Name).Distinct(StringComparer.OrdinalIgnoreCase).Count());
        string[] extensions = [.. DiskFormats.All.SelectMany(format => format.Extensions)];
        Assert.Equal(extensions.Length, extensions.Distinct(StringComparer.OrdinalIgnoreCase).Count());
    }

    [Fact]
    public void A_raw_disk_comes_last_so_that_every_mark_was_looked_for()
        => Assert.Equal("raw", DiskFormats.All[^1].Name);

    [Theory]
    [InlineData("qcow2", "qcow2")]
    [InlineData("QCOW2", "qcow2")]
    [InlineData("Raw", "raw")]
    [InlineData("zip", null)]
    [InlineData("", null)]
    [InlineData(null, null)]
    public void Formats_are_found_by_name(string? name, string? found) => Assert.Equal(found, DiskFormats.Find(name)?.Name);

    [Theory]
    [InlineData("a.qcow2", "qcow2")]
    [InlineData("a.QCOW", "qcow2")]
    [InlineData("a.raw", "raw")]
    [InlineData("a.img", null)]
    [InlineData("a", null)]
    public void The_name_of_a_new_file_stands_for_a_format(string name, string? format) => Assert.Equal(format, DiskFormats.OfNewFile(name)?.Name);

    [Theory]
    [InlineData("disk.qcow2", "qcow2")]
    [InlineData("disk.img", "qcow2")]
    [InlineData("disk", "qcow2")]
    [InlineData("disk.raw", null)]
    [InlineData("disk.iso", null)]
    public void A_mark_counts_unless_the_name_is_that_of_a_raw_disk(string name, string? format)
    {
        string path = _folder.File(name);
        Qcow2Image.CreateFile(path, DiskSize);

        FormatRecognition seen = DiskFormats.Recognize(path);

        Assert.Equal(format, seen.Format?.Name);
        Assert.Equal("qcow2", seen.Mark?.Name);
    }

    /// <summary>The first and the last sector of a raw disk are its guest's, and only QCOW2 images are commonly called <c>.img</c>.</summary>
    [Fact]
    public void In_a_file_called_just_a_disk_only_the_mark_of_QCOW2_counts()
    {
        (string Format, int Offset, string Mark)[] marks =
        [
            ("vhd", 65536 - 512, "conectix"), ("vhd", 65536 - 511, "conectix"), ("qcow", 0, "QFI\u00fb\0\0\0\u0001"), ("vhdx", 0, "vhdxfile"), ("vmdk", 0, "KDMV\u0001\0\0\0"),
            ("vmdk", 0, "# Disk DescriptorFile\n"), ("qed", 0, "QED\0"), ("parallels", 0, "WithoutFreeSpace"), ("parallels", 0, "WithouFreSpacExt"), ("vdi", 64, "\u007f\u0010\u00da\u00be"),
            ("qcow2", 0, "QFI\u00fb\0\0\0\u0003"),
        ];
        Assert.Equal(DiskFormats.All.Select(format => format.Name).Except(["raw"]).Order(), marks.Select(one => one.Format).Distinct().Order());
        foreach ((string format, int offset, string mark) in marks)
        {
            byte[] bytes = new byte[65536];
            System.Text.Encoding.Latin1.GetBytes(mark).CopyTo(bytes, offset);
            foreach (string extension in new[] { ".img", ".IMG", ".raw", ".bin", ".vm" })
            {
                FormatRecognition seen = DiskFormats.Recognize(new MemoryStorage(bytes), extension);
                Assert.Equal((format, extension, format), (seen.Mark?.Name, extension, format));
                bool counts = extension == ".vm" || (format == "qcow2" && extension.Equals(".img", StringComparison.OrdinalIgnoreCase));
                Assert.Equal((format, extension, counts ? format : null, !counts), (format, extension, seen.Format?.Name, seen.IsCalledRaw));
            }
        }
    }

    [Theory]
    [InlineData("disk.raw", "raw")]
    [InlineData("disk.img", "raw")]
    [InlineData("disk.data", null)]
    public void Without_a_mark_only_the_name_makes_a_raw_disk(string name, string? format)
    {
        string path = _folder.File(name);
        File.WriteAllBytes(path, [.. Enumerable.Repeat((byte)1, 4096)]);

        FormatRecognition seen = DiskFormats.Recognize(path);

        Assert.Equal(format, seen.Format?.Name);
        Assert.Null(seen.Mark);
    }

    [Fact]
    public void What_plainly_is_something_else_is_no_raw_disk_by_its_name()
    {
        string path = _folder.File("disk.raw");
        File.WriteAllBytes(path, [0x1f, 0x8b, 8, 0, .. new byte[4096]]);

        FormatRecognition seen = DiskFormats.Recognize(path);

        Assert.Null(seen.Format);
        Assert.True(seen.IsCalledRaw);
        Assert.True(seen.Signature!.ContradictsRaw);
    }

    /// <summary>A format that can be made can be opened as what was made, described, and copied out of again.</summary>
    [Theory]
    [MemberData(nameof(Layouts))]
    public void A_disk_goes_through_each_format_that_can_be_made(DiskCreateOptions layout)
    {
        string path = _folder.File("made");
        byte[] content = [.. Enumerable.Range(0, DiskSize).Select(i => (byte)(i >> 12 & 1) == 0 ? (byte)0 : (byte)i)];
        string original = _folder.File("original.raw");
        File.WriteAllBytes(original, content);
        DiskFormat format = DiskFormats.Get(layout.FormatName);
        Assert.True(format.CanCreate);

        using (VirtualDisk source = DiskFormats.Raw.Open(original))
        {
            DiskConverter.Convert(source, path, layout);
        }

        Qcow2ImageInfo info = format.ReadInformation(path);
        Assert.Equal(format.Name, info.Format);
        Assert.Equal(DiskSize, info.Size);
        using VirtualDisk disk = format.Open(path);
        byte[] read = new byte[DiskSize];
        Assert.Equal(DiskSize, disk.Read(0, read));
        Assert.Equal(content, read);
        Assert.Equal(layout.FormatName, ImageMeasure.Of(DiskSize, layout).DestinationFormat);
    }

    [Fact]
    public void Every_format_that_can_be_made_has_a_layout()
        => Assert.Equal(DiskFormats.All.Where(format => format.CanCreate).Select(format => format.Name).Order(), AllLayouts.Select(layout => layout.FormatName).Order());

    [Fact]
    public void A_file_is_never_opened_for_writing_where_the_format_cannot_be_written()
    {
        foreach (DiskFormat format in DiskFormats.All.Where(format => !format.CanWrite))
        {
            string path = _folder.File(format.Name);
            File.WriteAllBytes(path, new byte[4096]);
            var error = Assert.Throws<Qcow2Exception>(() => format.Open(path, new Qcow2OpenOptions { Writable = true }));
            Assert.Contains("only be read", error.Message);
        }
    }

    public static TheoryData<DiskCreateOptions> Layouts => [.. AllLayouts];

    /// <summary>One layout of each format, by the types of the assembly: a new format's is here without being named.</summary>
    private static IEnumerable<DiskCreateOptions> AllLayouts => typeof(DiskCreateOptions).Assembly.GetTypes()
        .Where(type => type.IsSubclassOf(typeof(DiskCreateOptions)) && !type.IsAbstract)
        .Select(type => (DiskCreateOptions)Activator.CreateInstance(type)!);
}
