"""What real machines print, shortened to what is read."""

from __future__ import annotations

from typing import Any

NESTED: dict[str, Any] = {
    "lscpu": [
        {"field": "Architecture:", "data": "x86_64"},
        {"field": "CPU(s):", "data": "96", "children": [{"field": "On-line CPU(s) list:", "data": "0-95"}]},
        {
            "field": "Vendor ID:",
            "data": "AuthenticAMD",
            "children": [
                {
                    "field": "Model name:",
                    "data": "AMD EPYC 9454 48-Core Processor",
                    "children": [
                        {"field": "CPU family:", "data": "25"},
                        {"field": "Model:", "data": "17"},
                        {"field": "Thread(s) per core:", "data": "2"},
                        {"field": "Core(s) per socket:", "data": "48"},
                        {"field": "Socket(s):", "data": "1"},
                        {"field": "Stepping:", "data": "1"},
                        {"field": "CPU max MHz:", "data": "3810.7910"},
                        {"field": "BogoMIPS:", "data": "5491.90"},
                        {"field": "Flags:", "data": "fpu sse4_2 avx avx2 fma avx512f avx512_vnni vaes sha_ni aes"},
                    ],
                }
            ],
        },
        {
            "field": "Caches (sum of all):",
            "data": None,
            "children": [
                {"field": "L1d:", "data": "1.5 MiB (48 instances)"},
                {"field": "L1i:", "data": "1.5 MiB (48 instances)"},
                {"field": "L2:", "data": "48 MiB (48 instances)"},
                {"field": "L3:", "data": "256 MiB (8 instances)"},
            ],
        },
        {"field": "NUMA:", "data": None, "children": [{"field": "NUMA node(s):", "data": "1"}]},
    ]
}

OLD_STYLE: list[dict[str, str]] = [
    {"field": "CPU(s):", "data": "4"},
    {"field": "Thread(s) per core:", "data": "2"},
    {"field": "Core(s) per socket:", "data": "2"},
    {"field": "Socket(s):", "data": "1"},
    {"field": "Vendor ID:", "data": "GenuineIntel"},
    {"field": "CPU family:", "data": "6"},
    {"field": "Model:", "data": "85"},
    {"field": "Model name:", "data": "Intel(R) Xeon(R) Platinum 8259CL CPU @ 2.50GHz"},
    {"field": "Stepping:", "data": "7"},
    {"field": "L1d cache:", "data": "32K"},
    {"field": "L2 cache:", "data": "1024K"},
    {"field": "L3 cache:", "data": "36608K"},
    {"field": "Hypervisor vendor:", "data": "KVM"},
]

ARM: list[dict[str, str]] = [
    {"field": "CPU(s):", "data": "64"},
    {"field": "Vendor ID:", "data": "ARM"},
    {"field": "Model:", "data": "1"},
    {"field": "Thread(s) per core:", "data": "1"},
    {"field": "Core(s) per cluster:", "data": "64"},
    {"field": "Socket(s):", "data": "-"},
    {"field": "Cluster(s):", "data": "1"},
    {"field": "Stepping:", "data": "r1p1"},
    {"field": "BogoMIPS:", "data": "2100.00"},
]

CPUINFO_V1 = "processor\t: 0\nCPU implementer\t: 0x41\nCPU architecture: 8\nCPU part\t: 0xd40\nCPU revision\t: 1\n"

MEMINFO = "MemTotal:       792547864 kB\nMemFree:        12345 kB\n"

DMIDECODE = "# dmidecode 3.3\n\n" + "\n\n".join(
    f"Handle 0x00{i:02X}, DMI type 17, 92 bytes\nMemory Device\n\tSize: 64 GB\n\tLocator: P0 CHANNEL {c}\n"
    f"\tBank Locator: P0 CHANNEL {c}\n\tType: DDR5\n\tSpeed: 4800 MT/s\n\tConfigured Memory Speed: 4400 MT/s"
    for i, c in enumerate("ABCDEFGHIJKL")
)

DMIDECODE_QEMU = """Handle 0x1100, DMI type 17, 40 bytes
Memory Device
\tSize: 16 GB
\tLocator: DIMM 0
\tType: RAM
\tSpeed: Unknown
\tConfigured Memory Speed: Unknown
"""
