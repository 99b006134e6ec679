using System.Security.Cryptography;
using Qcow2.Engine.Formats.Vhd;
using Qcow2.Engine.Storage;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Formats.Vhd;

/// <summary>Images of other programs. The folder is no part of the project; see its description there.</summary>
public sealed class VhdSampleTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    /// <summary>The sums of the folder's description, which are what qemu-img reads.</summary>
    [SampleFact]
    public void Disks_are_what_qemu_img_reads()
    {
        Expect("d2v-zerofilled.vhd", 263_454_720, "1ba076be94a8a64541c25aae8d5a5f8b0da758c3797af597e03acb431ff8d143");
        Expect("dissect-dynamic.vhd", 10_485_760, "ecff2ef6615a3cddc6a6885f1c6d9cf13a232697e1dc6575f2c2f01f57247784");
        Expect("dissect-fixed.vhd", 10_485_760, "459325ab1fcd1d5ec9854cba790ee26378317cda177ffc1072008a1df88e6463");
        Expect("dfvfs-ext2.vhd", 4_212_736, "870be7ae16c1fa8faab05c6eb9205dc9a7ae35c5f552c5cf8a267c0bc6a5cb99");
        Expect("plaso-image.vhd", 104_448, "c6db12a7db548e193c29420c1b4533e4708b20c5033db5cc29ef075d48316d25");
        Expect("sleuthkit-image.vhd", 104_448, "84c172cd6e864e2a2ca00b60b531a3c7b1376e5257174bfdc4987f3f6312ad3c");
        Expect("govhd-qemu.vhd", 41_953_280, "258dd1ab1617727f344d71220c5093e04d7909b1e13b31bfa810edac4f6fa04f");
        Expect("govhd-win8.1-1GB.vhd", 1_073_741_824, "49bc20df15e412a64472421e13fe86ff1c5165e18b2afccf160d4dc19fe68a14");
        Expect("govhd-win8-diff/win8.vhd", 41_943_040, "80a3721188e40218b08b26776bc53bdae81e4784fff71d71450a197319cba113");
        Expect("ronin-fixed.vhd", 1_079_296, "79f45ff4dce008350fe8cf6463e3c35c3fb93e2ac4ee20bb1483439f63658b1f");
        Expect("ronin-minimal.vhd", 1_079_296, "79f45ff4dce008350fe8cf6463e3c35c3fb93e2ac4ee20bb1483439f63658b1f");
    }

    /// <summary>qemu-img cuts both to their geometry, though all that their makers wrote lies in the current size.</summary>
    [SampleFact]
    public void Disks_of_Virtual_PC_and_VirtualBox_have_their_whole_size()
    {
        Expect("govhd-vbox.vhd", 41_943_040, "80a3721188e40218b08b26776bc53bdae81e4784fff71d71450a197319cba113", geometry: 41_909_760);
        using VhdDisk disk = Open("virtualpc-dynamic.vhd");
        Assert.Equal(136_365_211_648, disk.Length);
        Assert.Equal(136_363_130_880, disk.Structure.Footer.Geometry.Size);
        DiskExtent extent = Assert.Single(disk.GetExtents());
        Assert.Equal(ExtentKind.Unallocated, extent.Kind);
        Assert.Equal(disk.Length, extent.Length);
    }

    [SampleFact]
    public void A_differencing_disk_of_Windows_is_read_over_its_parent()
    {
        VhdDisk parent = Open("govhd-win8-diff/win8.vhd");
        using VhdDisk child = Open("govhd-win8-diff/win8-child.vhd", VhdParent.Of(parent));
        Assert.Equal([@".\win8.vhd", @"C:\Users\sergi\Downloads\win8.vhd"], child.Structure.ParentNames);
        Assert.Same(parent, child.Backing);
        Assert.Equal("80a3721188e40218b08b26776bc53bdae81e4784fff71d71450a197319cba113", Sum(child));
    }

    /// <summary>qemu-img shows zeros where the parent's data should be, and no error.</summary>
    [SampleFact]
    public void A_child_whose_parent_is_lost_is_refused()
    {
        Qcow2Exception error = Assert.Throws<Qcow2Exception>(() => Open("dfvfs-fat-differential.vhd"));
        Assert.Equal(Qcow2ErrorCode.BackingFileUnavailable, error.Code);
        Assert.Contains(@".\fat-parent.vhd", error.Message, StringComparison.Ordinal);

        byte[] ones = new byte[4_194_304];
        ones.AsSpan().Fill(1);
        var id = new Guid(Convert.FromHexString("5fa21a55f394aa4d99581951a67d5540"));
        using VhdDisk disk = Open("dfvfs-fat-differential.vhd", new VhdParent(RawDisk.Open(new MemoryStorage(ones)), id, 0));
        DiskExtent[] own = [.. disk.GetExtents().Where(extent => extent.Depth == 0)];
        Assert.Equal(18 * 512, own.Sum(extent => extent.Length));
        Assert.All(own, extent => Assert.Equal(ExtentKind.Data, extent.Kind));
        Assert.All(own, extent => Assert.True(extent.HostOffset >= 0x14000));
    }

    /// <summary>Somebody edited them and left the check sums as they were: qemu-img refuses them, libvhdi reads them.</summary>
    [SampleFact]
    public void Wrong_check_sums_are_an_error_until_a_disk_is_salvaged()
    {
        Assert.Contains("check sum", Assert.Throws<Qcow2Exception>(() => Open("dfvfs-diff/image.vhd")).Message, StringComparison.Ordinal);
        VhdDisk parent = Open("dfvfs-diff/image.vhd", isSalvage: true);
        Assert.Equal("c6db12a7db548e193c29420c1b4533e4708b20c5033db5cc29ef075d48316d25", Sum(parent));
        Assert.Throws<Qcow2Exception>(() => Open("dfvfs-diff/image-differential.vhd", VhdParent.Of(parent)));
        using VhdDisk child = Open("dfvfs-diff/image-differential.vhd", VhdParent.Of(parent), isSalvage: true);
        Assert.Equal("c6db12a7db548e193c29420c1b4533e4708b20c5033db5cc29ef075d48316d25", Sum(child));
        Assert.NotEmpty(child.Structure.Problems);
    }

    /// <summary>Found by a fuzzer: 1,028 bytes that claim 2^30 + 1 entries, half of the header among them.</summary>
    [SampleFact]
    public void A_fuzzers_find_is_refused()
    {
        Qcow2Exception error = Assert.Throws<Qcow2Exception>(() => Open("afl5.img", isSaid: true, isSalvage: true));
        Assert.Equal(Qcow2ErrorCode.ImageCorrupt, error.Code);
        Assert.Contains("dynamic disk header at 0x200, 1024 bytes long", error.Message, StringComparison.Ordinal);
        Assert.Equal(Qcow2ErrorCode.FormatMismatch, Assert.Throws<Qcow2Exception>(() => Open("afl5.img")).Code);
    }

    private void Expect(string name, long size, string sum, long? geometry = null)
    {
        using VhdDisk disk = Open(name);
        Assert.Equal(size, disk.Length);
        Assert.Equal(sum, Sum(disk));
        Assert.Empty(disk.Structure.Problems);
        if (geometry is long reached)
        {
            Assert.Equal(reached, disk.Structure.Footer.Geometry.Size);
        }
    }

    private VhdDisk Open(string name, VhdParent? parent = null, bool isSaid = false, bool isSalvage = false)
    {
        string path = Unpack(name);
        LocalFile file = LocalFile.OpenRead(path);
        try
        {
            return VhdDisk.Open(file, VhdStructure.Read(file, isSaid, isSalvage), parent, isSalvage);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    private string Unpack(string name) => Samples.Unpack(_folder, $"vhd/{name}");

    private static string Sum(VirtualDisk disk)
    {
        using Stream stream = disk.AsStream();
        return Convert.ToHexStringLower(SHA256.HashData(stream));
    }
}
