using System.Globalization;
using Qcow2.PowerShell.Infrastructure;

namespace Qcow2.PowerShell.Tests.Operations;

public sealed class ByteSizeTests
{
    public static TheoryData<object, long> Sizes => new()
    {
        { 65536, 65536 },
        { 65536L, 65536 },
        { (byte)7, 7 },
        { 1.5 * 1024, 1536 },
        { "0", 0 },
        { "65536", 65536 },
        { " 64K ", 65536 },
        { "64k", 65536 },
        { "64KB", 65536 },
        { "64KiB", 65536 },
        { "64 kib", 65536 },
        { "512B", 512 },
        { "512b", 512 },
        { "4G", 4L << 30 },
        { "1.5G", 3L << 29 },
        { "2TB", 2L << 40 },
        { "1P", 1L << 50 },
        { "7E", 7L << 60 },
        { "0x10000", 65536 },
        { "9223372036854775807", long.MaxValue },
        { "0.048T", 52_776_558_133 }, // As qemu-img rounds them.
        { "0.1K", 102 },
        { "1.0005K", 1025 },
        { "0.00048828125K", 1 },
        { 0.048 * (1L << 40), 52_776_558_133 },
        { 1.5 * (1L << 50), 3L << 49 },
        { 1.5f * (1L << 50), 3L << 49 },
        { 7.5 * (1L << 60), 15L << 59 },
        { "1.5GB", 3L << 29 },
        { "1.12GB", 1_202_590_843 },
        { "1.1250TB", 9L << 37 },
        { 40, 40 }, // An offset may be anything.
        { 1, 1 },
    };

    [Theory]
    [MemberData(nameof(Sizes))]
    public void Reads(object value, long expected) => Assert.Equal(expected, ByteSize.Parse(value));

    [Theory]
    [InlineData("", "not a size")]
    [InlineData("K", "not a size")]
    [InlineData("much", "not a size")]
    [InlineData("4X", "not a size")]
    [InlineData("4iB", "not a size")]
    [InlineData("4GBB", "not a size")]
    [InlineData("1,5G", "Write 1.5G.")]
    [InlineData("1,50", "Write 1.50GB.")]
    [InlineData("1.000", "Write 1000.")]
    [InlineData("10,000", "Write 10000.")]
    [InlineData("1 000", "Write 1000.")]
    [InlineData("1\u00a0000\u202f000 KB", "Write 1000000KB.")]
    [InlineData("1'000", "Write 1000.")]
    [InlineData("1’000", "Write 1000.")]
    [InlineData("1_000", "Write 1000.")]
    [InlineData("1.000.000,5K", "Write 1000000.5K.")]
    [InlineData("1,000,000.5K", "Write 1000000.5K.")]
    [InlineData("1.000GB", "Write 1000GB or 1GB.")]
    [InlineData("1.500GB", "Write 1500GB or 1.5GB.")]
    [InlineData("1,125TB", "Write 1125TB or 1.1250TB.")]
    [InlineData("\u06f4\u06f0GB", "Write 40GB.")]
    [InlineData("\u0664\u0660", "Write 40.")]
    [InlineData("1\u066b5 GB", "Write 1.5GB.")]
    [InlineData("1..5G", "not a size")]
    [InlineData("1,2,3", "not a size")]
    [InlineData("0x", "not a size")]
    [InlineData("0xyz", "not a size")]
    [InlineData(true, "not a size")]
    [InlineData("-1", "negative")]
    [InlineData(-1, "negative")]
    [InlineData("+1G", "not what is added")]
    [InlineData("0.3", "whole number")]
    [InlineData(1.5, "whole number")]
    [InlineData(new[] { 1, 0 }, "comma makes a list")]
    [InlineData("8E", "too large")]
    [InlineData("0xffffffffffffffff", "too large")]
    [InlineData(1e30, "too large")]
    public void Refuses(object value, string reason)
        => Assert.Contains(reason, Assert.Throws<FormatException>(() => ByteSize.Parse(value)).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("40", "Write 40GB or 40MB, or 40B")]
    [InlineData(40, "Write 40GB or 40MB, or 40B")]
    [InlineData(500L, "Write 500GB or 500MB, or 500B")]
    [InlineData("1000", "Write 1000GB or 1000MB, or 1000B")]
    [InlineData("0x28", "Write 40GB or 40MB, or 40B")]
    [InlineData(2000, "Write 2000GB")]
    [InlineData(4095, "Write 4095GB")]
    [InlineData("1.000", "Write 1000GB or 1000MB, or 1000B")]
    [InlineData("10,000", "Write 10000GB or 10000MB, or 10000B")]
    [InlineData("\u0664\u0660", "Write 40GB.")]
    [InlineData("1.5", "as in 1.5GB")]
    [InlineData(1.5, "as in 1.5GB")]
    public void A_disk_of_a_few_bytes_is_a_forgotten_unit(object value, string advice)
    {
        foreach (ByteSizeKind kind in new[] { ByteSizeKind.Disk, ByteSizeKind.DiskOrChange })
        {
            Assert.Contains(advice, Assert.Throws<FormatException>(() => ByteSize.Parse(value, kind)).Message, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("40B", 40)]
    [InlineData("0", 0)]
    [InlineData(512, 512)]
    [InlineData("4096", 4096)]
    [InlineData("4097", 4097)]
    [InlineData(4097, 4097)]
    [InlineData(100_000, 100_000)]
    [InlineData(1_048_577, 1_048_577)]
    [InlineData("0.1K", 102)]
    public void A_disk_may_be_small(object value, long expected) => Assert.Equal(expected, ByteSize.Parse(value, ByteSizeKind.Disk));

    [Theory]
    [InlineData("+10G", 10L << 30, true)]
    [InlineData("-5GB", -5L << 30, true)]
    [InlineData(" +0.5K ", 512, true)]
    [InlineData("+40B", 40, true)]
    [InlineData(-5L << 30, -5L << 30, true)]
    [InlineData(-512, -512, true)]
    [InlineData(-1.5 * (1 << 30), -3L << 29, true)]
    [InlineData("10G", 10L << 30, false)]
    [InlineData(10L << 30, 10L << 30, false)]
    public void A_sign_makes_a_change(object value, long bytes, bool isChange)
    {
        NewDiskSize size = NewDiskSize.Parse(value);
        Assert.Equal(new NewDiskSize(bytes, isChange), size);
        Assert.Equal(size, NewDiskSize.Parse(size.ToString()));
    }

    [Theory]
    [InlineData("+", "'+' is no change")]
    [InlineData("+40", "'+40' is no change")]
    [InlineData(-40, "'-40' is no change")]
    [InlineData("++1G", "'++1G' is no change")]
    [InlineData("+-1G", "negative")]
    [InlineData("+8E", "too large")]
    [InlineData("40", "Write 40GB")]
    [InlineData(long.MinValue, "negative")]
    public void What_is_no_change_is_refused(object value, string reason)
        => Assert.Contains(reason, Assert.Throws<FormatException>(() => NewDiskSize.Parse(value)).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("de-DE")]
    [InlineData("tr-TR")]
    [InlineData("fa-IR")]
    [InlineData("fr-CH")]
    public void No_culture_has_a_say(string culture)
    {
        CultureInfo before = CultureInfo.CurrentCulture;
        CultureInfo.CurrentCulture = CultureInfo.GetCultureInfo(culture);
        try
        {
            Assert.Equal(3L << 29, ByteSize.Parse("1.5gib"));
            Assert.Equal(3L << 29, ByteSize.Parse(1.5 * (1 << 30)));
            Assert.Equal(-3L << 29, NewDiskSize.Parse("-1.5GIB").Bytes);
            Assert.Equal("-1610612736B", NewDiskSize.Parse("-1.5GIB").ToString());
            Assert.Contains("Write 1.5GB.", Assert.Throws<FormatException>(() => ByteSize.Parse("1,5GB")).Message, StringComparison.Ordinal);
            Assert.Contains("as in 1.5GB", Assert.Throws<FormatException>(() => ByteSize.Parse(1.5)).Message, StringComparison.Ordinal);
        }
        finally
        {
            CultureInfo.CurrentCulture = before;
        }
    }
}
