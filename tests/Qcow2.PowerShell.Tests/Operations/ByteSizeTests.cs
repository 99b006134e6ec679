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
    [InlineData("1,5G", "not a size")]
    [InlineData("0x", "not a size")]
    [InlineData("0xyz", "not a size")]
    [InlineData(true, "not a size")]
    [InlineData("-1", "negative")]
    [InlineData(-1, "negative")]
    [InlineData("+1G", "not what is added")]
    [InlineData("0.3", "whole number")]
    [InlineData("1.0001K", "whole number")]
    [InlineData("8E", "too large")]
    [InlineData("0xffffffffffffffff", "too large")]
    [InlineData(1e30, "too large")]
    public void Refuses(object value, string reason)
        => Assert.Contains(reason, Assert.Throws<FormatException>(() => ByteSize.Parse(value)).Message, StringComparison.Ordinal);
}
