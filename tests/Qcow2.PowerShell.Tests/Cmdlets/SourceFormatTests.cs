using Qcow2.Engine;
using Qcow2.PowerShell.Tests.Infrastructure;
using Qcow2.Tests;

namespace Qcow2.PowerShell.Tests.Cmdlets;

/// <summary>What Get-Qcow2Image, Read-Qcow2Image and Get-Qcow2Extent take a file for, and that the user's word counts.</summary>
public sealed class SourceFormatTests : IDisposable
{
    private readonly ModuleSession _session = new();
    private readonly byte[] _content = new byte[1 << 20];

    public SourceFormatTests() => new Random(1).NextBytes(_content.AsSpan(0, 5000));

    public void Dispose() => _session.Dispose();

    public static TheoryData<string> Commands => ["Get-Qcow2Image {0}", "Read-Qcow2Image {0} -Count 4", "Get-Qcow2Extent {0}"];

    [Theory]
    [InlineData("disk.raw", "")]
    [InlineData("disk.img", "")]
    [InlineData("disk.iso", "")]
    [InlineData("disk.data", "-SourceFormat Raw")]
    [InlineData("disk", "-SourceFormat raw")]
    public void Raw_disk_is_one_by_its_name_or_by_word(string name, string word)
    {
        _session.Folder.Write(name, _content);
        Qcow2ImageInfo info = Assert.Single(_session.Run($"Get-Qcow2Image {name} {word}").Of<Qcow2ImageInfo>());
        Assert.Equal(("raw", _content.Length), (info.Format, info.Size));
        Assert.Equal(_content[100..300], Assert.Single(_session.Run($"Read-Qcow2Image {name} {word} -Offset 100 -Count 200").Of<byte[]>()));
        Assert.Equal(_content.Length, _session.Run($"Get-Qcow2Extent {name} {word}").Of<Qcow2Extent>().Sum(extent => extent.Length));

        // What was said goes on in the object.
        Assert.Equal(_content[..4], Assert.Single(_session.Run($"Get-Qcow2Image {name} {word} | Read-Qcow2Image -Count 4").Of<byte[]>()));
        Assert.Empty(_session.Run($"Get-Qcow2Image {name} {word} -BackingChain | Get-Qcow2Extent").Errors);
        Assert.Equal(["OperationNotSupported"], _session.Run($"Read-Qcow2Image {name} {word} -Count 1 -SnapshotName x").ErrorIds);
    }

    [Theory]
    [MemberData(nameof(Commands))]
    public void Without_a_word_another_name_is_an_error_that_says_what_to_say(string command)
    {
        _session.Folder.Write("disk.data", _content);
        SessionResult result = _session.Run(On(command, "disk.data"));
        Assert.Equal(["NotQcow2"], result.ErrorIds);
        Assert.Contains("-SourceFormat Raw", result.Errors[0].Exception.Message, StringComparison.Ordinal);
    }

    /// <summary>The guest of a raw disk names a file of the host in a header that it writes there.</summary>
    [Theory]
    [MemberData(nameof(Commands))]
    public void What_a_guest_plants_in_its_raw_disk_is_not_followed(string command)
    {
        _session.Folder.Write("secret.img", _content);
        Assert.Empty(_session.Run("New-Qcow2Image planted.qcow2 -BackingFile secret.img -BackingFormat raw").Errors);
        File.Move(_session.File("planted.qcow2"), _session.File("disk.raw"));

        SessionResult result = _session.Run(On(command, "disk.raw"));
        Assert.Equal(["FormatAmbiguous"], result.ErrorIds);
        Assert.Contains("-SourceFormat Raw", result.Errors[0].Exception.Message, StringComparison.Ordinal);

        Assert.Empty(_session.Run(On(command, "disk.raw") + " -SourceFormat Raw").Errors);
        Assert.Equal([0x51, 0x46, 0x49, 0xfb], Assert.Single(_session.Run("Read-Qcow2Image disk.raw -Count 4 -SourceFormat Raw").Of<byte[]>()));
        Assert.Equal(_content[..4], Assert.Single(_session.Run("Read-Qcow2Image disk.raw -Count 4 -SourceFormat Qcow2").Of<byte[]>()));
    }

    /// <summary>Under a name in .img only QCOW2 is told by its mark: the footer of a VHD, too, is the last sector of some guest's raw disk.</summary>
    [Theory]
    [InlineData("vhd", true)]
    [InlineData("vhdx", true)]
    [InlineData("vdi", true)]
    [InlineData("qcow2", false)]
    public void Image_called_just_a_disk_is_one_by_word(string format, bool mustSay)
    {
        _session.Folder.Write("disk.raw", _content);
        Assert.Empty(_session.Run($"Convert-Qcow2Image disk.raw disk.img -DestinationFormat {format}").Errors);
        foreach (string command in new[] { "Convert-Qcow2Image disk.img out.qcow2 -Force", "Read-Qcow2Image disk.img -Count 4", "Measure-Qcow2Image disk.img", "Get-Qcow2Image disk.img", "Test-Qcow2Image disk.img" })
        {
            SessionResult result = _session.Run(command);
            Assert.Equal(mustSay ? ["FormatAmbiguous"] : [], result.ErrorIds);
            Assert.All(result.Errors, error => Assert.Contains($"-SourceFormat {format}", error.Exception.Message, StringComparison.OrdinalIgnoreCase));
            Assert.Empty(_session.Run($"{command} -SourceFormat {format}").Errors);
        }
    }

    [QemuTheory]
    [MemberData(nameof(Commands))]
    public void Vhd_that_was_cut_off_is_one_by_word(string command)
    {
        _session.Folder.Write("disk.raw", _content);
        QemuImg.Run("convert", "-f", "raw", "-O", "vpc", "-o", "force_size=on", _session.File("disk.raw"), _session.File("disk.vhd"));
        byte[] whole = File.ReadAllBytes(_session.File("disk.vhd"));
        File.WriteAllBytes(_session.File("disk.vhd"), whole[..^512]);
        Assert.Equal(["NotQcow2"], _session.Run(On(command, "disk.vhd")).ErrorIds);
        Assert.Empty(_session.Run(On(command, "disk.vhd") + " -SourceFormat Vhd").Errors);
        Assert.Equal(_content[..4], Assert.Single(_session.Run("Get-Qcow2Image disk.vhd -SourceFormat Vhd | Read-Qcow2Image -Count 4").Of<byte[]>()));
    }

    [Theory]
    [MemberData(nameof(Commands))]
    public void A_wrong_word_is_an_error(string command)
    {
        _session.Folder.Write("disk.img", _content);
        Assert.Equal(["FormatMismatch"], _session.Run(On(command, "disk.img") + " -SourceFormat Qed").ErrorIds);
    }

    /// <summary>A result of Test-Qcow2Image is of any format.</summary>
    [Fact]
    public void What_was_tested_is_read_as_what_it_is()
    {
        _session.Folder.Write("disk.raw", _content);
        SessionResult result = _session.Run("Convert-Qcow2Image disk.raw disk.vhd; Test-Qcow2Image disk.vhd | Read-Qcow2Image -Count 4");
        Assert.Empty(result.Errors);
        Assert.Equal(_content[..4], Assert.Single(result.Of<byte[]>()));
    }

    private static string On(string command, string file) => command.Replace("{0}", file, StringComparison.Ordinal);
}
